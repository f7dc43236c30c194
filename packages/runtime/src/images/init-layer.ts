/**
 * The layer between image and container that holds what engines mount over: /etc/hosts and its like, /dev, /proc,
 * /sys. As it is no part of the container's own layer, `docker diff` does not show it. One per chain of layers, as its
 * content depends on nothing else; made at the first container, in a folder of its own, through a mount of the image,
 * so that folders keep the owner and mode that the image gave them.
 */
import { closeSync, constants, existsSync, mkdirSync, openSync, renameSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { unmount } from '@netyard/kernel';
import { inFd, lstatName, makeFolders, splitPath, withFd } from '../rootfs/root-paths.ts';
import type { OverlayFolders } from './overlay-folders.ts';
import { mountLayers } from './overlay-mount.ts';

const wanted: { path: string; kind: 'file' | 'folder' | { link: string } }[] = [
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

/** The folder of the init layer of these layers (chain ids, lowest first); made when it is not there. */
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
  mountLayers({ target, upper, work, lower: layers.map((chainId) => folders.diff(chainId)).toReversed() });
  try {
    fill(target);
  } finally {
    unmount(target);
  }
}

/** What is there stays as it is. */
function fill(root: string): void {
  for (const { path, kind } of wanted) {
    const { parent, name } = splitPath(path);
    withFd(makeFolders(root, parent), (folder) => {
      if (lstatName(folder, name) !== undefined) return;
      const place = inFd(folder, name);
      if (kind === 'folder') mkdirSync(place, { mode: 0o755 });
      else if (kind === 'file')
        closeSync(openSync(place, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o755));
      else symlinkSync(kind.link, place);
    });
  }
}
