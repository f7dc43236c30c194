/**
 * Files below a root folder that somebody else may change at any moment (a running container). Folders are held by
 * descriptor and reached by openat2 (kernel's `openInRoot`), names in them are never followed: `/proc/self/fd/N/NAME`
 * with the calls that leave a last symbolic link alone. Synchronous: few, short calls; descriptors are the caller's.
 */
import {
  closeSync,
  constants,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmdirSync,
  type Stats,
  unlinkSync,
} from 'node:fs';
import { fsPath, NetyardError, TimeSlice, textOf } from '@netyard/core';
import { hasErrno, O_PATH, openInRoot } from '@netyard/kernel';

const { O_DIRECTORY, O_NOFOLLOW } = constants;

export interface SplitPath {
  parent: string;
  /** '' for the root itself. */
  name: string;
}

/** A name in a held folder. */
export interface Place {
  folder: number;
  name: string;
}

/** The path of what a descriptor holds, good for node:fs. */
export function atFd(fd: number): string {
  return `/proc/self/fd/${fd}`;
}

/** The path of a name in a held folder, good for node:fs, in bytes where the name is not UTF-8. */
export function inFd(fd: number, name: string): string | Buffer {
  return fsPath(`${atFd(fd)}/${name}`);
}

/** Names in a held folder, in order. */
export function namesIn(folder: number): string[] {
  return readdirSync(atFd(folder), 'buffer')
    .map((name) => textOf(name))
    .sort();
}

/** Runs and closes the descriptor; `work` must be synchronous. */
export function withFd<T>(fd: number, work: (fd: number) => T): T {
  try {
    return work(fd);
  } finally {
    closeSync(fd);
  }
}

/** Parent and last name of a path inside a root. `.` and empty parts are dropped, `..` goes up textually. Pure. */
export function splitPath(path: string): SplitPath {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return { name: parts.pop() ?? '', parent: `/${parts.join('/')}` };
}

export function openFolder(root: string, path: string): number {
  return openInRoot(root, path, O_PATH | O_DIRECTORY);
}

/** A name in a held folder, itself if it is a symbolic link. */
export function openName(folder: number, name: string, flags = 0): number {
  return openSync(inFd(folder, name), O_PATH | O_NOFOLLOW | flags);
}

export function lstatName(folder: number, name: string): Stats | undefined {
  return lstatSync(inFd(folder, name), { throwIfNoEntry: false });
}

/** Opens a folder, making what is missing of the way to it. Symbolic links on the way are followed inside the root. */
export function makeFolders(root: string, path: string, mode = 0o755): number {
  try {
    return openFolder(root, path);
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw error;
  }
  const { parent, name } = splitPath(path);
  if (name === '') throw new NetyardError('internal', `root folder ${root} is gone`);
  return withFd(makeFolders(root, parent, mode), (folder) => {
    if (lstatName(folder, name) === undefined) mkdirSync(inFd(folder, name), { mode });
    return openFolder(root, path);
  });
}

/** Removes a name and all below it, never leaving the held folder. Fine when it is gone. */
export async function removeName(folder: number, name: string, turn = new TimeSlice()): Promise<void> {
  try {
    unlinkSync(inFd(folder, name));
    return;
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return;
    if (!hasErrno(error, 'EISDIR', 'EPERM')) throw error;
  }
  const child = openName(folder, name, O_DIRECTORY);
  try {
    for (const entry of namesIn(child)) {
      if (turn.isOver) await turn.next();
      await removeName(child, entry, turn);
    }
  } finally {
    closeSync(child);
  }
  rmdirSync(inFd(folder, name));
}
