/**
 * A stopped container's file system with its volumes, bind mounts and network files in place, for `docker cp`. It is a
 * private bind mount of the overlay, so mounts in it are not visible in the overlay itself, with which the container
 * may be started meanwhile.
 */
import { closeSync, constants, mkdirSync, openSync, rmdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { NetyardError } from '@netyard/core';
import type { ViewMount } from '@netyard/engine';
import { attachMount, bindMount, hasErrno, mount, mountFlag, O_PATH, openInRoot, unmount } from '@netyard/kernel';
import { resolvePath } from '../rootfs/resolve-path.ts';
import { atFd, inFd, isMountPoint, makeFolders, splitPath, withFd } from '../rootfs/root-paths.ts';
import type { OverlayFolders } from './overlay-folders.ts';
import type { VisitedRoot } from './root-mounts.ts';

export interface ViewOptions {
  mounts: readonly ViewMount[];
  readOnlyRoot: boolean;
}

/** Runs with the view mounted. */
export async function withMountView<T>(
  folders: OverlayFolders,
  root: VisitedRoot,
  options: ViewOptions,
  work: (root: string) => Promise<T>,
): Promise<T> {
  const temporary = folders.makeTemporary();
  const view = join(temporary, 'merged'); // the name by which leftovers of a crash are unmounted at the next start
  mkdirSync(view, { mode: 0o700 });
  try {
    fill(view, root, options);
    return await work(view);
  } finally {
    if (isMountPoint(view)) unmount(view, { lazy: true });
    rmdirSync(view); // never recursively: it may contain a volume
    rmdirSync(temporary);
  }
}

function fill(view: string, { path, tree }: VisitedRoot, { mounts, readOnlyRoot }: ViewOptions): void {
  if (tree === undefined) bindMount(path, view);
  else attachMount(tree, view); // the container was started meanwhile
  mount({ target: view, flags: mountFlag.private });
  const depth = ({ target }: ViewMount): number => target.split('/').length;
  for (const each of [...mounts].sort((a, b) => depth(a) - depth(b))) placeMount(view, each);
  if (readOnlyRoot) mount({ target: view, flags: mountFlag.bind | mountFlag.remount | mountFlag.readOnly });
}

function placeMount(view: string, { source, target, readOnly }: ViewMount): void {
  const found = statSync(source, { throwIfNoEntry: false });
  if (found === undefined)
    throw new NetyardError('not-found', `the source of the mount ${target} does not exist: ${source}`);
  withFd(mountPoint(view, target, found.isDirectory()), (fd) => bindMount(source, atFd(fd), { recursive: true }));
  // The descriptor above refers to what is below the new mount; the path leads to the mount itself.
  withFd(openInRoot(view, target, O_PATH), (fd) => {
    mount({ target: atFd(fd), flags: mountFlag.private | mountFlag.recursive });
    if (readOnly) mount({ target: atFd(fd), flags: mountFlag.bind | mountFlag.remount | mountFlag.readOnly });
  });
}

/** Created if missing, also where a dangling link leads, as at a start. */
function mountPoint(view: string, requested: string, isFolder: boolean): number {
  const target = resolvePath(view, requested);
  try {
    return openInRoot(view, target, O_PATH);
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw error;
  }
  if (isFolder) return makeFolders(view, target);
  const { parent, name } = splitPath(target);
  const { O_WRONLY, O_CREAT, O_NOFOLLOW } = constants;
  withFd(makeFolders(view, parent), (folder) =>
    closeSync(openSync(inFd(folder, name), O_WRONLY | O_CREAT | O_NOFOLLOW, 0o755)),
  );
  return openInRoot(view, target, O_PATH);
}
