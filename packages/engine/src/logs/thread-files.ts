/**
 * Opens and closes files in a worker thread, so that its owner can close them if it fails (descriptor-table.ts). On the
 * main thread the same calls only open and close.
 */
import { closeSync, openSync } from 'node:fs';
import { isMainThread, workerData } from 'node:worker_threads';
import { DescriptorTable } from './descriptor-table.ts';
import type { ThreadData } from './thread.ts';

const table = isMainThread ? undefined : new DescriptorTable((workerData as ThreadData).descriptors);
/** Opened by the present `closeOnFailure`. */
let opened: Set<number> | undefined;

export function openFile(path: string, flags: string | number, mode?: number): number {
  return trackFile(openSync(path, flags, mode));
}

/** For a descriptor that was opened in another way. */
export function trackFile(fd: number): number {
  table?.add(fd);
  opened?.add(fd);
  return fd;
}

export function closeFile(fd: number): void {
  table?.delete(fd);
  opened?.delete(fd);
  closeSync(fd);
}

/** Closes what `work` has opened if it throws. Synchronous. */
export function closeOnFailure<T>(work: () => T): T {
  const files = new Set<number>();
  opened = files;
  try {
    return work();
  } catch (error) {
    for (const fd of files) closeFile(fd);
    throw error;
  } finally {
    opened = undefined;
  }
}
