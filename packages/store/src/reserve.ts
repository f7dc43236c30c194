/** A file beside the database that only reserves space: deleted when the disk is full, restored when there is room. */
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';

const reserveBytes = 4 * 1024 * 1024;
const reserveName = 'netyard.reserve';

export const reservePath = (dataRoot: string): string => join(dataRoot, reserveName);

const freeBytes = (folder: string): number => {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
};

/** Releases the reserve when a data root has no room for a start of the daemon. */
export function makeRoom(dataRoot: string): void {
  if (freeBytes(dataRoot) < reserveBytes / 4) new Reserve(reservePath(dataRoot)).release();
}

export class Reserve {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** True when a reserve was released. */
  release(): boolean {
    if (!existsSync(this.#path)) return false;
    rmSync(this.#path, { force: true });
    return true;
  }

  /** Only where it takes a small part of the free space. Random bytes: a file system may not store zeros. */
  restore(): void {
    if (existsSync(this.#path)) return;
    if (freeBytes(dirname(this.#path)) < reserveBytes * 4) return;
    const file = openSync(this.#path, 'wx', 0o600);
    try {
      const block = randomBytes(256 * 1024);
      for (let at = 0; at < reserveBytes; at += block.length) writeSync(file, block);
    } catch (error) {
      rmSync(this.#path, { force: true });
      throw error;
    } finally {
      closeSync(file);
    }
  }
}
