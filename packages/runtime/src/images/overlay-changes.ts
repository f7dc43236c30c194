/**
 * What a container changed against its image, read from overlayfs' upper folder: a character device 0/0 stands for
 * something deleted, an opaque folder hides the one below. linux/Documentation/filesystems/overlayfs.rst
 *
 * There may be a great many files, so others get their turn in between; and a container that runs makes and removes
 * some meanwhile: what is gone when it is looked at was never there.
 */
import { lstatSync, readdirSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { fsPath, TimeSlice, textOf } from '@netyard/core';
import { getXattr, hasErrno } from '@netyard/kernel';

export interface FileChange {
  /** Absolute, inside the container. */
  path: string;
  kind: 'modified' | 'added' | 'deleted';
}

/** @param lower what the container stands on as one tree; sorted by path */
export async function changesOf(upper: string, lower: string): Promise<FileChange[]> {
  const changes: FileChange[] = [];
  await walk({ upper, lower, changes, turn: new TimeSlice() }, '');
  return changes.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}

interface Walk {
  upper: string;
  lower: string;
  changes: FileChange[];
  turn: TimeSlice;
}

async function walk(state: Walk, folder: string): Promise<void> {
  const names = namesIn(join(state.upper, folder));
  for (const name of names) await visit(state, `${folder}/${name}`);
  if (folder === '' || !isOpaque(join(state.upper, folder))) return;
  const below = lstat(join(state.lower, folder));
  if (!below?.isDirectory()) return;
  const kept = new Set(names);
  for (const name of namesIn(join(state.lower, folder))) {
    if (!kept.has(name)) state.changes.push({ path: `${folder}/${name}`, kind: 'deleted' });
  }
}

async function visit(state: Walk, path: string): Promise<void> {
  if (state.turn.isOver) await state.turn.next();
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
  const value = unlessGone(() => getXattr(folder, 'trusted.overlay.opaque'), undefined);
  return value !== undefined && Buffer.from(value).toString() === 'y';
}

const lstat = (path: string): Stats | undefined =>
  unlessGone(() => lstatSync(fsPath(path), { throwIfNoEntry: false }), undefined);

const namesIn = (folder: string): string[] =>
  unlessGone(() => readdirSync(fsPath(folder), 'buffer').map((name) => textOf(name)), []);

/** What a container hides below more folders than a path can name is not counted, as in Docker. */
function unlessGone<T>(look: () => T, otherwise: T): T {
  try {
    return look();
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'ENAMETOOLONG')) return otherwise;
    throw error;
  }
}

/** Bytes in the files of a folder, each counted once. */
export async function usedBytes(folder: string): Promise<number> {
  const seen = new Set<number>();
  const turn = new TimeSlice();
  const count = async (path: string): Promise<number> => {
    if (turn.isOver) await turn.next();
    const stat = lstat(path);
    if (stat?.isDirectory()) {
      let sum = 0;
      for (const name of namesIn(path)) sum += await count(join(path, name));
      return sum;
    }
    if (!stat?.isFile() || seen.has(stat.ino)) return 0;
    seen.add(stat.ino);
    return stat.size;
  };
  return await count(folder);
}
