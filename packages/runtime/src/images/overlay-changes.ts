/**
 * A container's changes against its image, read from overlayfs' upper directory: a character device 0/0 marks a
 * deletion, an opaque directory hides the one below. linux/Documentation/filesystems/overlayfs.rst
 *
 * There may be a great many files, so the scan yields to the event loop; a running container creates and removes some
 * meanwhile: files that vanish before they are examined are skipped.
 */
import { lstatSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { fsPath, TimeSlice, textOf } from '@netyard/core';
import { getXattr, hasErrno, listEntries } from '@netyard/kernel';

export interface FileChange {
  /** Absolute, inside the container. */
  path: string;
  kind: 'modified' | 'added' | 'deleted';
}

/** @param lower the container's lower layers as one tree; sorted by path */
export async function changesOf(upper: string, lower: string): Promise<FileChange[]> {
  const changes: FileChange[] = [];
  await walk({ upper, lower, changes, slice: new TimeSlice() }, '');
  return changes.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}

interface Walk {
  upper: string;
  lower: string;
  changes: FileChange[];
  slice: TimeSlice;
}

async function walk(state: Walk, folder: string): Promise<void> {
  const names = await namesIn(join(state.upper, folder));
  for (const name of names) await visit(state, `${folder}/${name}`);
  if (folder === '' || !isOpaque(join(state.upper, folder))) return;
  const below = lstat(join(state.lower, folder));
  if (!below?.isDirectory()) return;
  const kept = new Set(names);
  for (const name of await namesIn(join(state.lower, folder))) {
    if (!kept.has(name)) state.changes.push({ path: `${folder}/${name}`, kind: 'deleted' });
  }
}

async function visit(state: Walk, path: string): Promise<void> {
  if (state.slice.isOver) await state.slice.next();
  const stat = lstat(join(state.upper, path));
  if (!stat) return;
  const below = lstat(join(state.lower, path));
  if (isWhiteout(stat)) {
    if (below) state.changes.push({ path, kind: 'deleted' });
    return;
  }
  if (!below) state.changes.push({ path, kind: 'added' });
  else if (!stat.isDirectory() || !below.isDirectory()) state.changes.push({ path, kind: 'modified' });
  if (!stat.isDirectory()) return;
  const before = state.changes.length;
  await walk(state, path);
  const same = below?.isDirectory() && state.changes.length === before && sameAttributes(stat, below);
  if (below?.isDirectory() && !same) state.changes.push({ path, kind: 'modified' });
}

const sameAttributes = (a: Stats, b: Stats): boolean =>
  a.mode === b.mode && a.uid === b.uid && a.gid === b.gid && a.mtimeMs === b.mtimeMs;

const isWhiteout = (stat: Stats): boolean => stat.isCharacterDevice() && stat.rdev === 0;

function isOpaque(folder: string): boolean {
  const value = ifPresent(() => getXattr(folder, 'trusted.overlay.opaque'), undefined);
  return value !== undefined && Buffer.from(value).toString() === 'y';
}

const lstat = (path: string): Stats | undefined =>
  ifPresent(() => lstatSync(fsPath(path), { throwIfNoEntry: false }), undefined);

async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await listEntries(fsPath(folder))).map(({ name }) => textOf(name));
  } catch (error) {
    return ifPresent<string[]>(() => {
      throw error;
    }, []);
  }
}

/** Entries below more directories than a path can name are not counted, as in Docker. */
function ifPresent<T>(look: () => T, otherwise: T): T {
  try {
    return look();
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'ENAMETOOLONG')) return otherwise;
    throw error;
  }
}

/** Bytes in the files of a directory, each counted once. */
export async function usedBytes(folder: string): Promise<number> {
  const seen = new Set<number>();
  const slice = new TimeSlice();
  const count = async (path: string): Promise<number> => {
    if (slice.isOver) await slice.next();
    const stat = lstat(path);
    if (stat?.isDirectory()) {
      let sum = 0;
      for (const name of await namesIn(path)) sum += await count(join(path, name));
      return sum;
    }
    if (!stat?.isFile() || seen.has(stat.ino)) return 0;
    seen.add(stat.ino);
    return stat.size;
  };
  return await count(folder);
}
