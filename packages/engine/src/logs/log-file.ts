/**
 * Writes the log of one container: appends and rotates (`x.log`, `x.log.1`, …). Writes happen in place and together
 * with the position, so that a restarted daemon can resume; reading is in log-cursor.ts.
 */
import { constants, existsSync, fstatSync, ftruncateSync, renameSync, rmSync, writeSync } from 'node:fs';
import type { LogRotation } from './log-options.ts';
import { OnDemandFile } from './on-demand-file.ts';
import { openFile } from './thread-files.ts';

const mode = 0o640;

export class LogFile {
  readonly path: string;
  readonly #rotation: LogRotation;
  readonly #file: OnDemandFile;
  #size: number;

  /** @param keep bytes to keep of the file with this inode; anything after them was written by a killed daemon */
  constructor(path: string, rotation: LogRotation, keep?: { inode: bigint; size: number }) {
    this.path = path;
    this.#rotation = rotation;
    this.#file = new OnDemandFile(path, mode);
    this.#size = fstatSync(this.#file.fd).size;
    if (keep) this.#cutTo(keep.inode === this.inode ? Math.min(keep.size, this.#size) : 0);
  }

  get size(): number {
    return this.#size;
  }

  get inode(): bigint {
    return this.#file.inode;
  }

  /** Bytes until this file is full; the line that fills it is still included, as in Docker. */
  get room(): number {
    const { maximumSize } = this.#rotation;
    return maximumSize === undefined ? Number.POSITIVE_INFINITY : maximumSize - this.#size;
  }

  /** Closes the file until the next output. */
  rest(): void {
    this.#file.rest();
  }

  /**
   * To be called before the first `append` after `rest`. Another program may have deleted, truncated or replaced the file
   * meanwhile, as those that rotate logs do: continues at the end of what has its path now. Returns true if so.
   */
  reopen(): boolean {
    if (this.#file.isOpen) return false;
    const isOther = this.#file.reopen();
    const { size } = fstatSync(this.#file.fd);
    const isCut = size < this.#size;
    if (isOther || isCut) this.#size = size;
    return isOther || isCut;
  }

  /** On failure (a full disk) a partial write is truncated. */
  append(bytes: Buffer): void {
    try {
      for (let done = 0; done < bytes.length; )
        done += writeSync(this.#file.fd, bytes, done, bytes.length - done, this.#size + done);
    } catch (error) {
      this.#cutTo(this.#size);
      throw error;
    }
    this.#size += bytes.length;
  }

  /** Can be called again after a failure (a full disk). */
  rotate(): void {
    if (existsSync(this.path)) this.#shift();
    this.#file.replace(openFile(this.path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, mode));
    this.#size = 0;
  }

  close(): void {
    this.#file.close();
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
    ftruncateSync(this.#file.fd, size);
    this.#size = size;
  }
}

/** Path of the file that is `age` rotations old. */
export const agedPath = (path: string, age: number): string => (age === 0 ? path : `${path}.${age}`);
