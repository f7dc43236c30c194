/**
 * One output stream of a running container in the collecting thread: a FIFO that the shim writes to, and a spool file
 * in memory that splice(2) moves its bytes to, so that a killed daemon neither loses nor duplicates a byte. At most
 * `spoolBound` bytes wait in the spool file; beyond that the FIFO fills up, and the container blocks.
 */
import { constants, fstatSync, readSync, statSync } from 'node:fs';
import { openFifo, punchHole, spliceToFile } from '@netyard/kernel';
import type { OutputStream, ReaderState } from './capture-state.ts';
import { closeFile, openFile, trackFile } from './thread-files.ts';

/** Bytes of one stream that wait for the log or for an attached client. */
export const spoolBound = 2 * 1024 * 1024;
/** Memory is released in steps of this many bytes; a multiple of every page size. */
const holeSize = 256 * 1024;

export interface StreamFiles {
  name: OutputStream;
  /** The FIFO; or a plain file created by a daemon before the FIFOs, which is its own spool file. */
  source: string;
  spool: string;
}

export class SpooledStream {
  readonly name: OutputStream;
  /** Bytes that are logged (or skipped). */
  logged: number;
  readonly readers = new Set<ReaderState>();
  readonly #spool: number;
  readonly #spoolPath: string;
  readonly #fifo: number | undefined;
  #spooled: number;
  #freed: number;
  #hasWriter = true;

  constructor(files: StreamFiles, logged: number) {
    this.name = files.name;
    this.#fifo = openIfFifo(files.source);
    this.#spoolPath = this.#fifo === undefined ? files.source : files.spool;
    this.#spool = openFile(this.#spoolPath, constants.O_RDWR | constants.O_CREAT, 0o600);
    this.#spooled = fstatSync(this.#spool).size;
    this.logged = Math.min(logged, this.#spooled);
    this.#freed = this.logged - (this.logged % holeSize);
  }

  get spooled(): number {
    return this.#spooled;
  }

  /** False when the last read of the FIFO found no open writer. */
  get hasWriter(): boolean {
    return this.#fifo !== undefined && this.#hasWriter;
  }

  /** Bytes that wait. */
  get backlog(): number {
    return this.#spooled - this.#slowest();
  }

  /**
   * Moves what the FIFO holds, as far as the bound and `length` allow. Returns the number of bytes.
   * @param pastReaders the bound applies only to what is not logged, not to what attached clients have still to read
   */
  take(length: number, pastReaders: boolean): number {
    if (this.#fifo === undefined) return this.#measure();
    let taken = 0;
    while (taken < length) {
      const waiting = pastReaders ? this.#spooled - this.logged : this.backlog;
      const room = Math.min(length - taken, spoolBound - waiting);
      if (room <= 0) break;
      const moved = spliceToFile(this.#fifo, this.#spool, this.#spooled, room);
      this.#hasWriter = moved !== 0;
      if (!moved) break;
      taken += moved;
      this.#spooled += moved;
    }
    return taken;
  }

  /** Reads what is not logged yet into the buffer. Returns the number of bytes. */
  read(buffer: Buffer): number {
    return readSync(this.#spool, buffer, 0, Math.min(buffer.length, this.#spooled - this.logged), this.logged);
  }

  /** Releases the memory that all readers have passed. */
  free(): void {
    const slowest = this.#slowest();
    const end = slowest - (slowest % holeSize);
    if (end <= this.#freed) return;
    punchHole(this.#spool, this.#freed, end - this.#freed);
    this.#freed = end;
  }

  /** A descriptor of the spool file for a reader in another thread, which closes it. */
  openSpool(): number {
    return openFile(this.#spoolPath, 'r');
  }

  close(): void {
    closeFile(this.#spool);
    if (this.#fifo !== undefined) closeFile(this.#fifo);
  }

  #slowest(): number {
    let slowest = this.logged;
    for (const reader of this.readers) slowest = Math.min(slowest, reader.offset(this.name));
    return slowest;
  }

  #measure(): number {
    const before = this.#spooled;
    this.#spooled = fstatSync(this.#spool).size;
    return this.#spooled - before;
  }
}

function openIfFifo(path: string): number | undefined {
  return statSync(path).isFIFO() ? trackFile(openFifo(path, 'read')) : undefined;
}
