/**
 * Writes the log of one container: appends and rotates (`x.log`, `x.log.1`, …). Writes happen in place and together
 * with the position, so that a restarted daemon can resume; reading is in log-cursor.ts.
 */
import { constants, existsSync, fstatSync, ftruncateSync, linkSync, renameSync, rmSync, writeSync } from 'node:fs';
import { hasCode } from './file-errors.ts';
import type { LogCompressor } from './log-compressor.ts';
import type { LogRotation } from './log-options.ts';
import { OnDemandFile } from './on-demand-file.ts';
import { agedPath, compressedPath, hasFile, isSameFile } from './rotated-files.ts';
import { closeFile, openFile } from './thread-files.ts';

const mode = 0o640;
/** Of link(2) on file systems without hard links, and for files that may not have a second name. */
const linkRefusals = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'];

export class LogFile {
  readonly path: string;
  readonly #rotation: LogRotation;
  readonly #file: OnDemandFile;
  readonly #compressor: LogCompressor;
  #size: number;

  /** @param keep bytes to keep of the file with this inode; anything after them was written by a killed daemon */
  constructor(
    path: string,
    { rotation, compressor }: { rotation: LogRotation; compressor: LogCompressor },
    keep?: { inode: bigint; size: number },
  ) {
    this.path = path;
    this.#rotation = rotation;
    this.#compressor = compressor;
    this.#file = new OnDemandFile(path, mode);
    this.#size = fstatSync(this.#file.fd).size;
    if (keep) this.#cutTo(keep.inode === this.inode ? Math.min(keep.size, this.#size) : 0);
    this.#compress();
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

  /**
   * The path always has a file, except for a moment on file systems without hard links. Can be called again after a
   * failure (a full disk), also by the daemon after one that was killed here.
   */
  rotate(): void {
    const next = `${this.path}.next`;
    rmSync(next, { force: true });
    const fd = openFile(next, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, mode);
    try {
      this.#shift();
      renameSync(next, this.path);
    } catch (error) {
      closeFile(fd);
      throw error;
    }
    this.#file.replace(fd);
    this.#size = 0;
    this.#compress();
  }

  close(): void {
    this.#file.close();
  }

  /**
   * Gives the older files the names of the next older ones, and the present one a second name. What an interrupted or
   * failed rotation has done is not done again: it would delete another file each time.
   */
  #shift(): void {
    const { maximumFiles } = this.#rotation;
    const newest = agedPath(this.path, 1);
    if (maximumFiles === 1 || !existsSync(this.path) || isSameFile(this.path, newest)) return;
    for (let age = this.#freeAge(maximumFiles - 1); age > 1; age -= 1) {
      const [from, to] = [agedPath(this.path, age - 1), agedPath(this.path, age)];
      if (existsSync(from)) renameSync(from, to);
      if (existsSync(compressedPath(from))) renameSync(compressedPath(from), compressedPath(to));
    }
    linkOrRename(this.path, newest);
  }

  /** The first age that has no file. If all have one, the oldest is deleted. */
  #freeAge(oldest: number): number {
    for (let age = 1; age <= oldest; age += 1) if (!hasFile(this.path, age)) return age;
    const path = agedPath(this.path, oldest);
    for (const each of [path, compressedPath(path)]) rmSync(each, { force: true });
    return oldest;
  }

  #compress(): void {
    if (this.#rotation.compresses) this.#compressor.add(this.path, this.#rotation.maximumFiles);
  }

  #cutTo(size: number): void {
    ftruncateSync(this.#file.fd, size);
    this.#size = size;
  }
}

function linkOrRename(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    if (!linkRefusals.some((code) => hasCode(error, code))) throw error;
    renameSync(from, to);
  }
}
