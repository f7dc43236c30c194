/**
 * Access to files below a root directory that another process may change at any moment (a running container).
 * Directories are held by descriptor and opened with openat2 (kernel's `openInRoot`), names in them are never followed:
 * `/proc/self/fd/N/NAME` with the calls that do not follow a last symbolic link. Mostly synchronous: few, short calls; the
 * caller owns the descriptors.
 */
import { closeSync, constants, lstatSync, mkdirSync, rmdirSync, type Stats, unlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { fsPath, NetyardError, TimeSlice, textOf } from '@netyard/core';
import { hasErrno, listEntries, O_PATH, openAt, openInRoot } from '@netyard/kernel';

const { O_DIRECTORY, O_NOFOLLOW } = constants;

export interface SplitPath {
  parent: string;
  /** '' for the root itself. */
  name: string;
}

/** A name in an open directory. */
export interface EntryLocation {
  folder: number;
  name: string;
}

/** The path of the object behind a descriptor, usable with node:fs. */
export function atFd(fd: number): string {
  return `/proc/self/fd/${fd}`;
}

/** The path of a name in an open directory, usable with node:fs; bytes where the name is not UTF-8. */
export function inFd(fd: number, name: string): string | Buffer {
  return fsPath(`${atFd(fd)}/${name}`);
}

/** Names in an open directory, sorted; read in time slices. */
export async function listNames(folder: number): Promise<string[]> {
  const entries = await listEntries(atFd(folder));
  return entries.map(({ name }) => textOf(name)).sort();
}

/** Runs and closes the descriptor; `work` must be synchronous. */
export function withFd<T>(fd: number, work: (fd: number) => T): T {
  try {
    return work(fd);
  } finally {
    closeSync(fd);
  }
}

/** Parent and last name of a path inside a root. `.` and empty parts are dropped, `..` is resolved textually. Pure. */
export function splitPath(path: string): SplitPath {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return { name: parts.pop() ?? '', parent: `/${parts.join('/')}` };
}

/** @param root a path, or a descriptor for many calls with the same one */
export function openFolder(root: string | number, path: string): number {
  return openInRoot(root, path, O_PATH | O_DIRECTORY);
}

/** Opens a name in an open directory; a symbolic link itself, not its target. */
export function openName(folder: number, name: string, flags = 0): number {
  return openAt(folder, name === '' ? '.' : name, O_PATH | O_NOFOLLOW | flags);
}

/** A mount point is on another device than its parent directory. */
export function isMountPoint(path: string): boolean {
  const inside = lstatSync(path, { throwIfNoEntry: false });
  return inside !== undefined && inside.dev !== lstatSync(dirname(path)).dev;
}

export function lstatName(folder: number, name: string): Stats | undefined {
  return lstatSync(inFd(folder, name), { throwIfNoEntry: false });
}

/** Opens a directory, creating it and missing parents. Symbolic links on the way are followed inside the root. */
export function makeFolders(root: string | number, path: string, mode = 0o755): number {
  try {
    return openFolder(root, path);
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw error;
  }
  const { parent, name } = splitPath(path);
  if (name === '') throw new NetyardError('internal', `root folder ${root} does not exist`);
  return withFd(makeFolders(root, parent, mode), (folder) => {
    if (lstatName(folder, name) === undefined) mkdirSync(inFd(folder, name), { mode });
    return openFolder(root, path);
  });
}

/** Removes a name and all below it, never leaving the open directory. No error when it does not exist. */
export async function removeName(folder: number, name: string, slice = new TimeSlice()): Promise<void> {
  try {
    unlinkSync(inFd(folder, name));
    return;
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return;
    if (!hasErrno(error, 'EISDIR', 'EPERM')) throw error;
  }
  const child = openName(folder, name, O_DIRECTORY);
  try {
    for (const entry of await listNames(child)) {
      if (slice.isOver) await slice.next();
      await removeName(child, entry, slice);
    }
  } finally {
    closeSync(child);
  }
  rmdirSync(inFd(folder, name));
}
