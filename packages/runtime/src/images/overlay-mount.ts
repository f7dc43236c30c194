/** Overlay mounts of root file systems. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { hasErrno, mountOverlay, type Overlay } from '@netyard/kernel';

/**
 * Mounts with upper directory. With `isDisposable`, fsync(2) and unmounting write nothing to the disk, where the kernel
 * supports it (`volatile`): unmounting otherwise waits until all dirty pages of the file system with the upper
 * directory are written, those of other containers and of logs included.
 */
export function mountWritable(overlay: Required<Omit<Overlay, 'volatile'>>, isDisposable: boolean): void {
  // Of an earlier mount. It guards against incomplete files after a crash of the host, which no such container survives.
  rmSync(join(overlay.work, 'work/incompat'), { recursive: true, force: true });
  try {
    mountOverlay({ ...overlay, volatile: isDisposable });
  } catch (error) {
    if (!isDisposable || !hasErrno(error, 'EINVAL')) throw error;
    mountOverlay(overlay); // before Linux 5.10
  }
}
