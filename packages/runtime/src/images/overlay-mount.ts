/** Overlay mounts of any number of layers. */
import { closeSync, constants, openSync } from 'node:fs';
import { isNetyardError } from '@netyard/core';
import { mountOverlay, O_PATH, type Overlay } from '@netyard/kernel';

/**
 * Mounts; where the paths of all layers exceed the page that mount(2) accepts, refers to the layers by descriptor
 * (`/proc/self/fd/N`). Synchronous, so no descriptor is open longer than the call.
 */
export function mountLayers(overlay: Overlay): void {
  try {
    mountOverlay(overlay);
  } catch (error) {
    if (!isNetyardError(error, 'invalid')) throw error;
    mountByDescriptors(overlay);
  }
}

function mountByDescriptors(overlay: Overlay): void {
  const opened: number[] = [];
  try {
    const lower = overlay.lower.map((path) => {
      const fd = openSync(path, O_PATH | constants.O_DIRECTORY);
      opened.push(fd);
      return `/proc/self/fd/${fd}`;
    });
    mountOverlay({ ...overlay, lower });
  } finally {
    for (const fd of opened) closeSync(fd);
  }
}
