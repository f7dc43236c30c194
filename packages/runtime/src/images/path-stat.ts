/** The path information of `docker cp`: the X-Docker-Container-Path-Stat header, with Go's file modes. */
import { constants, fstatSync, readlinkSync } from 'node:fs';
import { resolve } from 'node:path';
import { textOf } from '@netyard/core';
import type { PathStat } from '@netyard/engine';
import { hasErrno, O_PATH, openInRoot } from '@netyard/kernel';
import { atFd, inFd, openFolder, openName, splitPath, withFd } from '../rootfs/root-paths.ts';

/** Go's os.FileMode has the file type in its upper bits. https://pkg.go.dev/io/fs#FileMode */
const goMode = {
  directory: 0x8000_0000,
  symlink: 0x0800_0000,
  device: 0x0400_0000,
  namedPipe: 0x0200_0000,
  socket: 0x0100_0000,
  setuid: 0x0080_0000,
  setgid: 0x0040_0000,
  characterDevice: 0x0020_0000,
  sticky: 0x0010_0000,
} as const;

/** Pure. */
export function goFileMode(mode: number): number {
  const kinds = new Map<number, number>([
    [constants.S_IFDIR, goMode.directory],
    [constants.S_IFLNK, goMode.symlink],
    [constants.S_IFIFO, goMode.namedPipe],
    [constants.S_IFSOCK, goMode.socket],
    [constants.S_IFBLK, goMode.device],
    [constants.S_IFCHR, goMode.device + goMode.characterDevice],
  ]);
  const kind = kinds.get(mode & constants.S_IFMT) ?? 0;
  const special =
    (mode & 0o4000 ? goMode.setuid : 0) + (mode & 0o2000 ? goMode.setgid : 0) + (mode & 0o1000 ? goMode.sticky : 0);
  return kind + special + (mode & 0o777);
}

/** Whether a path refers to the target of a last link: it ends in `/` or `/.`. Pure. */
export const wantsFolder = (path: string): boolean => /(?:^|\/)\.?$/.test(path);

/**
 * The name of a path in archives and headers: Go's filepath.Base of the path as the container resolves it. A name `..`
 * would make the archive leave the folder that it is unpacked in. A last `.` stays: it stands for a folder's content.
 * Pure.
 */
export function baseName(path: string): string {
  const trimmed = path.replace(/\/+$/, '');
  if (trimmed === '.' || trimmed.endsWith('/.')) return '.';
  const { name } = splitPath(trimmed);
  return name === '' ? '/' : name;
}

/**
 * Undefined when the path does not exist. A last symbolic link is described itself, unless the path ends in a slash.
 */
export function statInRoot(root: string, path: string): PathStat | undefined {
  try {
    return withFd(openPath(root, path), (fd) => {
      const stat = fstatSync(fd, { bigint: true });
      return {
        name: baseName(path),
        size: Number(stat.size),
        mode: goFileMode(Number(stat.mode)),
        modified: stat.mtimeNs,
        linkTarget: stat.isSymbolicLink() ? linkTarget(root, path) : '',
      };
    });
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}

/** Opens the object at a path (O_PATH); see `statInRoot` for links. */
export function openPath(root: string, path: string): number {
  const { parent, name } = splitPath(path);
  if (name === '' || wantsFolder(path)) return openFolder(root, path);
  return withFd(openFolder(root, parent), (folder) => openName(folder, name));
}

/** The text of a symbolic link, or the path behind a descriptor. */
const linkText = (path: string | Buffer): string => textOf(readlinkSync(path, 'buffer'));

/** The final target of a link, as a path inside the root; for a broken one as far as its own text says. */
function linkTarget(root: string, path: string): string {
  const top = withFd(openFolder(root, '/'), (fd) => linkText(atFd(fd)));
  const inside = (host: string): string => (host === top ? '/' : host.slice(top === '/' ? 0 : top.length));
  try {
    return withFd(openInRoot(root, path, O_PATH), (fd) => inside(linkText(atFd(fd))));
  } catch (error) {
    if (!hasErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) throw error;
    const { parent, name } = splitPath(path);
    return withFd(openFolder(root, parent), (folder) =>
      resolve(inside(linkText(atFd(folder))), linkText(inFd(folder, name))),
    );
  }
}
