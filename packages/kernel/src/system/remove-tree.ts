/** Removes directory trees. */
import { randomUUID } from 'node:crypto';
import { type Dirent, lstatSync, opendirSync, readdirSync, renameSync, rmdirSync, unlinkSync } from 'node:fs';
import { rmdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { TimeSlice } from '@netyard/core';
import { hasErrno } from './ffi/errno.ts';
import { listEntries } from './list-entries.ts';

/** Removing this many entries takes one or two milliseconds. */
const fewEntries = 64;

/** Removed at the same time by libuv's threads, which are four. */
const batchEntries = 64;

/**
 * Removes a tree; does not follow symbolic links and ignores a missing path. A small tree is removed synchronously:
 * through libuv's threads each entry takes several iterations of the event loop, which for a container's few files was
 * a tenth of the time of `docker rm`. A large tree is removed through the threads, so that the event loop stays free.
 * Equivalent to: `rm -rf PATH`.
 */
export async function removeTree(path: string): Promise<void> {
  try {
    if (removeFew(path, { left: fewEntries })) return;
  } catch {
    // the asynchronous removal below meets the same error and reports it
  }
  try {
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found?.isDirectory()) await removeMany(Buffer.from(path));
    else if (found) await ifPresent(unlink(path));
  } catch (error) {
    if (!hasErrno(error, 'ENAMETOOLONG')) throw error;
    await flatten(path);
  }
}

/**
 * Removes files in batches: Node's own `rm` begins with all entries of a directory at once, of which a container can create
 * hundreds of thousands.
 */
async function removeMany(folder: Buffer): Promise<void> {
  const entries = (await ifPresent(listEntries(folder))) ?? [];
  const folders = entries.filter((entry) => entry.isDirectory).map(({ name }) => below(folder, name));
  const files = entries.filter((entry) => !entry.isDirectory).map(({ name }) => below(folder, name));
  for (let at = 0; at < files.length; at += batchEntries) {
    const batch = files.slice(at, at + batchEntries);
    const removed = await Promise.all(batch.map(unlinkFile));
    folders.push(...batch.filter((_, index) => !removed[index]));
  }
  for (const path of folders) await removeMany(path);
  await ifPresent(rmdir(folder));
}

/** @returns false for a directory: some file systems list names without their types */
async function unlinkFile(path: Buffer): Promise<boolean> {
  try {
    await ifPresent(unlink(path));
    return true;
  } catch (error) {
    if (hasErrno(error, 'EISDIR', 'EPERM') && lstatSync(path, { throwIfNoEntry: false })?.isDirectory()) return false;
    throw error;
  }
}

async function ifPresent<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/**
 * Removes a tree of any depth: a container can create paths longer than PATH_MAX. Directories are moved to the top
 * level by level, so that every path is short and no descriptor stays open. Entries may disappear meanwhile: `rm` has
 * reported its first error and continues in other directories.
 */
async function flatten(top: string): Promise<void> {
  const slice = new TimeSlice();
  const prefix = randomUUID();
  let moved = 0;
  for (let entries = entriesOf(top); entries.length > 0; entries = entriesOf(top)) {
    for (const entry of entries) {
      const path = below(top, entry.name);
      if (!entry.isDirectory()) unlessMissing(() => unlinkSync(path));
      else {
        for (const inner of entriesOf(path)) {
          if (slice.isOver) await slice.next();
          const innerPath = below(path, inner.name);
          if (inner.isDirectory()) unlessMissing(() => renameSync(innerPath, join(top, `${prefix}-${moved++}`)));
          else unlessMissing(() => unlinkSync(innerPath));
        }
        unlessMissing(() => rmdirSync(path));
      }
    }
  }
  unlessMissing(() => rmdirSync(top));
}

const entriesOf = (folder: string | Buffer): Dirent<Buffer>[] =>
  unlessMissing(() => readdirSync(folder, { withFileTypes: true, encoding: 'buffer' })) ?? [];

function unlessMissing<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

const below = (folder: string | Buffer, name: Buffer): Buffer =>
  Buffer.concat([Buffer.from(folder), Buffer.from('/'), name]);

/** @returns false when the tree has more than `budget.left` entries; entries removed so far stay removed */
function removeFew(folder: string, budget: { left: number }): boolean {
  const entries = readFew(folder, budget.left);
  if (!entries) return false;
  budget.left -= entries.length;
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (!entry.isDirectory()) unlinkSync(path);
    else if (!removeFew(path, budget)) return false;
  }
  rmdirSync(folder);
  return true;
}

/** Undefined when there are more than `limit`. */
function readFew(path: string, limit: number): Dirent[] | undefined {
  const folder = opendirSync(path, { bufferSize: fewEntries + 1 });
  try {
    const entries: Dirent[] = [];
    for (let entry = folder.readSync(); entry; entry = folder.readSync()) {
      if (entries.length === limit) return undefined;
      entries.push(entry);
    }
    return entries;
  } finally {
    folder.closeSync();
  }
}
