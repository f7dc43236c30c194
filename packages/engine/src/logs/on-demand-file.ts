/**
 * A file for reading and writing that can be closed while it is not used: the next use opens it again. A daemon has
 * thousands of descriptors otherwise, each of which the kernel copies and closes when a process is started.
 */
import { type BigIntStats, constants, fstatSync, lstatSync } from 'node:fs';
import { NetyardError } from '@netyard/core';
import { hasCode } from './file-errors.ts';
import { closeFile, openFile } from './thread-files.ts';

const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK } = constants;

export class OnDemandFile {
  readonly #path: string;
  readonly #mode: number;
  #fd: number | undefined;
  #identity: BigIntStats;

  /** Opens it; creates it if it does not exist. */
  constructor(path: string, mode: number) {
    this.#path = path;
    this.#mode = mode;
    this.#fd = openFile(path, O_RDWR | O_CREAT, mode);
    this.#identity = fstatSync(this.#fd, { bigint: true });
  }

  get inode(): bigint {
    return this.#identity.ino;
  }

  get isOpen(): boolean {
    return this.#fd !== undefined;
  }

  /** Opens the file again if necessary; creates it if it was deleted. Throws when another one has its path. */
  get fd(): number {
    return this.#fd ?? this.#open((found) => isSame(found, this.#identity));
  }

  /**
   * Opens the file again if necessary, or the one that has its path now. Returns true when it is another one than before.
   */
  reopen(): boolean {
    const former = this.#identity;
    if (this.#fd === undefined) this.#open(() => true);
    return !isSame(former, this.#identity);
  }

  /** Continues with another file. The former one is closed. */
  replace(fd: number): void {
    this.close();
    this.#fd = fd;
    this.#identity = fstatSync(fd, { bigint: true });
  }

  /** Closes it until the next use. Stays open if its path, which may be a symbolic link, would not lead back to it. */
  rest(): void {
    if (this.#fd === undefined) return;
    const found = lstatSync(this.#path, { bigint: true, throwIfNoEntry: false });
    if (found && isSame(found, this.#identity)) this.close();
  }

  close(): void {
    const fd = this.#fd;
    this.#fd = undefined; // closed also when close(2) reports an error
    if (fd !== undefined) closeFile(fd);
  }

  #open(accepts: (found: BigIntStats) => boolean): number {
    const existing = this.#openExisting();
    const fd = existing ?? openFile(this.#path, O_RDWR | O_CREAT | O_EXCL, this.#mode);
    const found = fstatSync(fd, { bigint: true });
    if (existing !== undefined && !(found.isFile() && accepts(found))) {
      closeFile(fd);
      throw new NetyardError('failed', `another file replaced ${this.#path}`);
    }
    this.#fd = fd;
    this.#identity = found;
    return fd;
  }

  /** Without following a symbolic link, or waiting for a FIFO. Undefined when it was deleted. */
  #openExisting(): number | undefined {
    try {
      return openFile(this.#path, O_RDWR | O_NOFOLLOW | O_NONBLOCK);
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return undefined;
      throw error;
    }
  }
}

/** A new file may get the inode of a deleted one. The time of creation is 0 where the file system has none. */
const isSame = (a: BigIntStats, b: BigIntStats): boolean =>
  a.ino === b.ino && a.dev === b.dev && a.birthtimeNs === b.birthtimeNs;
