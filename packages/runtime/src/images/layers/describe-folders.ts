/** Directories that a layer has no entry of, although it has entries in them, look as in the layers below. */
import { closeSync, fstatSync, lstatSync } from 'node:fs';
import { join } from 'node:path';
import { fsPath, type TarHeader, TimeSlice, tarHeader } from '@netyard/core';
import { getXattr, hasErrno, listXattrs, setPathTimes } from '@netyard/kernel';
import { atFd, openFolder } from '../../rootfs/root-paths.ts';
import { own } from '../archive-node.ts';

/**
 * @param diff of the unpacked layer
 * @param lower `diff` directories of the layers below, topmost first
 */
export async function describeFolders(
  diff: string,
  undescribed: readonly string[],
  lower: readonly string[],
): Promise<void> {
  const slice = new TimeSlice();
  for (const path of undescribed) {
    if (slice.isOver) await slice.next();
    const host = join(diff, path);
    if (!lstatSync(fsPath(host), { throwIfNoEntry: false })?.isDirectory()) continue;
    const header = firstHeader(path, lower);
    if (header === undefined) continue;
    const fd = openFolder(diff, `/${path}`);
    try {
      own(atFd(fd), header);
      setPathTimes(host, header.mtime);
    } finally {
      closeSync(fd);
    }
  }
}

function firstHeader(path: string, lower: readonly string[]): TarHeader | undefined {
  for (const layer of lower) {
    const header = headerIn(layer, path);
    if (header) return header;
  }
  return undefined;
}

function headerIn(layer: string, path: string): TarHeader | undefined {
  try {
    const fd = openFolder(layer, `/${path}`);
    try {
      const { mode, uid, gid, mtimeNs } = fstatSync(fd, { bigint: true });
      const values = { mode: Number(mode), uid: Number(uid), gid: Number(gid), mtime: mtimeNs };
      return tarHeader({ name: path, ...values, xattrs: xattrsOf(atFd(fd)) });
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return undefined;
    throw error;
  }
}

function xattrsOf(path: string): Map<string, Uint8Array> {
  const names = listXattrs(path).filter((name) => !name.startsWith('trusted.'));
  return new Map(names.map((name) => [name, getXattr(path, name) ?? new Uint8Array(0)]));
}
