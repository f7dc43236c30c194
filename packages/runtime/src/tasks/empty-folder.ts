/** The directory that covers masked directories of containers: see spec/masked-folders.ts. */
import { mkdirSync, readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Logger, messageOf } from '@netyard/core';

/**
 * Creates it unless it exists: any user of a container may list it, and on the host only root reaches it. Undefined, which
 * is logged, if that fails or something is in it: containers would see it.
 * @param path absolute, on a file system that is lost at reboot, in a directory of its own
 */
export function openEmptyFolder(path: string, logger: Logger): string | undefined {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    mkdirSync(path, { recursive: true, mode: 0o555 });
    if (readdirSync(path).length === 0) return path;
    logger.warn('masked directories of containers get a tmpfs each: this directory is not empty', { path });
  } catch (error) {
    logger.warn('masked directories of containers get a tmpfs each', { path, error: messageOf(error) });
  }
  return undefined;
}
