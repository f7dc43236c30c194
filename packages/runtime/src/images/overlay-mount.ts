/** Overlay mounts of any number of layers. */
import { closeSync, constants, openSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isNetyardError } from '@netyard/core';
import { hasErrno, mountOverlay, O_PATH, type Overlay } from '@netyard/kernel';

/**
 * Mounts with upper directory; `folder` is that of both, from which the paths of the other directories are short. With `isDisposable`, fsync(2) and unmounting write nothing to the disk, where the kernel
 * supports it (`volatile`): unmounting otherwise waits until all dirty pages of the file system with the upper
 * directory are written, those of other containers and of logs included.
 */
export function mountWritable(
  folder: string,
  overlay: Required<Omit<Overlay, 'volatile'>>,
  isDisposable: boolean,
): void {
  // Of an earlier mount. It guards against incomplete files after a crash of the host, which no such container survives.
  rmSync(join(overlay.work, 'work/incompat'), { recursive: true, force: true });
  try {
    mountLayers({ ...overlay, volatile: isDisposable }, folder);
  } catch (error) {
    if (!isDisposable || !hasErrno(error, 'EINVAL')) throw error;
    mountLayers(overlay, folder); // before Linux 5.10
  }
}

/**
 * Mounts; where the paths of all layers exceed the page that mount(2) accepts, refers to the layers by descriptor
 * (`/proc/self/fd/N`). Synchronous, so no descriptor is open longer than the call.
 */
export function mountLayers(overlay: Overlay, folder?: string): void {
  try {
    mountOverlay(overlay, folder);
  } catch (error) {
    if (!isNetyardError(error, 'invalid')) throw error;
    mountByDescriptors(overlay, folder);
  }
}

function mountByDescriptors(overlay: Overlay, folder: string | undefined): void {
  const opened: number[] = [];
  try {
    const lower = overlay.lower.map((path) => {
      const fd = openSync(path, O_PATH | constants.O_DIRECTORY);
      opened.push(fd);
      return `/proc/self/fd/${fd}`;
    });
    mountOverlay({ ...overlay, lower }, folder);
  } finally {
    for (const fd of opened) closeSync(fd);
  }
}
