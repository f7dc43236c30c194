/** A file that only takes space, beside the database: given up when the disk is full, made again when there is room. */
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

const reserveBytes = 4 * 1024 * 1024;

export class Reserve {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** True when there was something to give up. */
  release(): boolean {
    if (!existsSync(this.#path)) return false;
    rmSync(this.#path, { force: true });
    return true;
  }

  /** Only where it takes a small part of what is free. Random bytes: a file system may not store zeros. */
  restore(): void {
    if (existsSync(this.#path)) return;
    const { bavail, bsize } = statfsSync(dirname(this.#path));
    if (bavail * bsize < reserveBytes * 4) return;
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
