/**
 * Writes the log of one container: appends and rotates (`x.log`, `x.log.1`, …). Writes happen in place and together
 * with the position, so that a restarted daemon can resume; reading is in log-cursor.ts.
 */
import { constants, existsSync, fstatSync, ftruncateSync, renameSync, rmSync, writeSync } from 'node:fs';
import type { LogRotation } from './log-options.ts';
import { closeFile, openFile } from './thread-files.ts';

export class LogFile {
  readonly path: string;
  readonly #rotation: LogRotation;
  #fd: number;
  #size: number;
  #inode: bigint;

  /** @param keep bytes to keep of the file with this inode; anything after them was written by a killed daemon */
  constructor(path: string, rotation: LogRotation, keep?: { inode: bigint; size: number }) {
    this.path = path;
    this.#rotation = rotation;
    this.#fd = openFile(path, constants.O_RDWR | constants.O_CREAT, 0o640);
    const stat = fstatSync(this.#fd, { bigint: true });
    this.#inode = stat.ino;
    this.#size = Number(stat.size);
    if (keep) this.#cutTo(keep.inode === stat.ino ? Math.min(keep.size, this.#size) : 0);
  }

  get size(): number {
    return this.#size;
  }

  get inode(): bigint {
    return this.#inode;
  }

  /** Bytes until this file is full; the line that fills it is still included, as in Docker. */
  get room(): number {
    const { maximumSize } = this.#rotation;
    return maximumSize === undefined ? Number.POSITIVE_INFINITY : maximumSize - this.#size;
  }

  /** On failure (a full disk) a partial write is truncated. */
  append(bytes: Buffer): void {
    try {
      for (let done = 0; done < bytes.length; )
        done += writeSync(this.#fd, bytes, done, bytes.length - done, this.#size + done);
    } catch (error) {
      this.#cutTo(this.#size);
      throw error;
    }
    this.#size += bytes.length;
  }

  /** Can be called again after a failure (a full disk). */
  rotate(): void {
    if (existsSync(this.path)) this.#shift();
    const next = openFile(this.path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o640);
    closeFile(this.#fd);
    this.#fd = next;
    this.#inode = fstatSync(next, { bigint: true }).ino;
    this.#size = 0;
  }

  close(): void {
    closeFile(this.#fd);
  }

  #shift(): void {
    const { maximumFiles } = this.#rotation;
    rmSync(`${this.path}.${maximumFiles - 1}`, { force: true });
    for (let number = maximumFiles - 2; number >= 1; number -= 1)
      if (existsSync(`${this.path}.${number}`)) renameSync(`${this.path}.${number}`, `${this.path}.${number + 1}`);
    if (maximumFiles > 1) renameSync(this.path, `${this.path}.1`);
    else rmSync(this.path, { force: true });
  }

  #cutTo(size: number): void {
    ftruncateSync(this.#fd, size);
    this.#size = size;
  }
}

/** Path of the file that is `age` rotations old. */
export const agedPath = (path: string, age: number): string => (age === 0 ? path : `${path}.${age}`);
