/** Removes directory trees. */
import { randomUUID } from 'node:crypto';
import { type Dirent, readdirSync, renameSync, rmdirSync, unlinkSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { TimeSlice } from '@netyard/core';
import { hasErrno } from './ffi/errno.ts';

/** Removing this many entries takes one or two milliseconds. */
const fewEntries = 64;

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
    await rm(path, { recursive: true, force: true });
  } catch (error) {
    if (!hasErrno(error, 'ENAMETOOLONG')) throw error;
    await flatten(path);
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
  const entries = readdirSync(folder, { withFileTypes: true });
  budget.left -= entries.length;
  if (budget.left < 0) return false;
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (!entry.isDirectory()) unlinkSync(path);
    else if (!removeFew(path, budget)) return false;
  }
  rmdirSync(folder);
  return true;
}
