/**
 * The layer between image and container with the mount points that engines need: /etc/hosts and the like, /dev, /proc,
 * /sys. As it is not part of the container's own layer, `docker diff` does not show it. There is one per chain of
 * layers, as its content depends on nothing else; it is created for the first container, in a directory of its own,
 * through a mount of the image, so that directories keep the image's owner and mode.
 */
import { closeSync, constants, existsSync, mkdirSync, openSync, renameSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { mountOverlay, unmount } from '@netyard/kernel';
import { inFd, lstatName, makeFolders, splitPath, withFd } from '../rootfs/root-paths.ts';
import type { OverlayFolders } from './overlay-folders.ts';

const entries: { path: string; kind: 'file' | 'folder' | { link: string } }[] = [
  { path: '/dev/pts', kind: 'folder' },
  { path: '/dev/shm', kind: 'folder' },
  { path: '/dev/mqueue', kind: 'folder' },
  { path: '/proc', kind: 'folder' },
  { path: '/sys', kind: 'folder' },
  { path: '/.dockerenv', kind: 'file' },
  { path: '/etc/resolv.conf', kind: 'file' },
  { path: '/etc/hosts', kind: 'file' },
  { path: '/etc/hostname', kind: 'file' },
  { path: '/dev/console', kind: 'file' },
  { path: '/etc/mtab', kind: { link: '/proc/mounts' } },
];

/** The directory of the init layer of these layers (chain ids, lowest first); created if missing. */
export async function ensureInitLayer(folders: OverlayFolders, layers: readonly string[]): Promise<string> {
  const target = folders.init(layers);
  if (existsSync(target)) return target;
  const temporary = folders.makeTemporary();
  try {
    const upper = join(temporary, 'upper');
    mkdirSync(upper, { mode: 0o755 });
    if (layers.length === 0) fill(upper);
    else fillThroughMount(folders, layers, temporary, upper);
    if (!existsSync(target)) renameSync(upper, target);
  } finally {
    await folders.discard(temporary);
  }
  return target;
}

function fillThroughMount(folders: OverlayFolders, layers: readonly string[], temporary: string, upper: string): void {
  const target = join(temporary, 'merged');
  const work = join(temporary, 'work');
  mkdirSync(target);
  mkdirSync(work);
  mountOverlay({ target, upper, work, lower: layers.map((chainId) => folders.diff(chainId)).toReversed() });
  try {
    fill(target);
  } finally {
    unmount(target);
  }
}

/** Existing files are kept unchanged. */
function fill(root: string): void {
  for (const { path, kind } of entries) {
    const { parent, name } = splitPath(path);
    withFd(makeFolders(root, parent), (folder) => {
      if (lstatName(folder, name) !== undefined) return;
      const entryPath = inFd(folder, name);
      if (kind === 'folder') mkdirSync(entryPath, { mode: 0o755 });
      else if (kind === 'file')
        closeSync(openSync(entryPath, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o755));
      else symlinkSync(kind.link, entryPath);
    });
  }
}
