/**
 * What a container changed against its image, read from overlayfs' upper folder: a character device 0/0 stands for
 * something deleted, an opaque folder hides the one below. linux/Documentation/filesystems/overlayfs.rst
 */
import { lstatSync, readdirSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { getXattr } from '@netyard/kernel';

export interface FileChange {
  /** Absolute, inside the container. */
  path: string;
  kind: 'modified' | 'added' | 'deleted';
}

/** @param lower what the container stands on as one tree; sorted by path */
export function changesOf(upper: string, lower: string): FileChange[] {
  const changes: FileChange[] = [];
  walk({ upper, lower, changes }, '');
  return changes.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}

interface Walk {
  upper: string;
  lower: string;
  changes: FileChange[];
}

function walk(state: Walk, folder: string): void {
  const names = readdirSync(join(state.upper, folder));
  for (const name of names) visit(state, `${folder}/${name}`);
  if (folder === '' || !isOpaque(join(state.upper, folder))) return;
  const below = lstat(join(state.lower, folder));
  if (!below?.isDirectory()) return;
  for (const name of readdirSync(join(state.lower, folder))) {
    if (!names.includes(name)) state.changes.push({ path: `${folder}/${name}`, kind: 'deleted' });
  }
}

function visit(state: Walk, path: string): void {
  const stat = lstatSync(join(state.upper, path));
  const below = lstat(join(state.lower, path));
  if (isWhiteout(stat)) {
    if (below) state.changes.push({ path, kind: 'deleted' });
    return;
  }
  if (!below) state.changes.push({ path, kind: 'added' });
  else if (!stat.isDirectory() || !below.isDirectory()) state.changes.push({ path, kind: 'modified' });
  if (!stat.isDirectory()) return;
  const before = state.changes.length;
  walk(state, path);
  const same = below?.isDirectory() && state.changes.length === before && sameAttributes(stat, below);
  if (below?.isDirectory() && !same) state.changes.push({ path, kind: 'modified' });
}

const sameAttributes = (a: Stats, b: Stats): boolean =>
  a.mode === b.mode && a.uid === b.uid && a.gid === b.gid && a.mtimeMs === b.mtimeMs;

const isWhiteout = (stat: Stats): boolean => stat.isCharacterDevice() && stat.rdev === 0;

function isOpaque(folder: string): boolean {
  const value = getXattr(folder, 'trusted.overlay.opaque');
  return value !== undefined && Buffer.from(value).toString() === 'y';
}

const lstat = (path: string): Stats | undefined => lstatSync(path, { throwIfNoEntry: false });

/** Bytes in the files of a folder, each counted once. */
export function usedBytes(folder: string): number {
  const seen = new Set<number>();
  const count = (path: string): number => {
    const stat = lstatSync(path);
    if (stat.isDirectory()) return readdirSync(path).reduce((sum, name) => sum + count(join(path, name)), 0);
    if (!stat.isFile() || seen.has(stat.ino)) return 0;
    seen.add(stat.ino);
    return stat.size;
  };
  return count(folder);
}
