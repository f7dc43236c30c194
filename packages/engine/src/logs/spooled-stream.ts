/**
 * One output stream of a running container in the collecting thread: a FIFO that the shim writes to, and a spool file
 * in memory that splice(2) moves its bytes to, so that a killed daemon neither loses nor duplicates a byte. At most
 * `spoolBound` bytes wait in the spool file; beyond that the FIFO fills up, and the container blocks.
 */
import { fstatSync, readSync, statSync } from 'node:fs';
import { bytesInPipe, openFifo, punchHole, spliceToFile } from '@netyard/kernel';
import type { OutputStream, ReaderState } from './capture-state.ts';
import { OnDemandFile } from './on-demand-file.ts';
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
  readonly #spool: OnDemandFile;
  readonly #spoolPath: string;
  readonly #fifo: number | undefined;
  #spooled: number;
  #freed: number;
  #hasWriter = true;

  constructor(files: StreamFiles, logged: number) {
    this.name = files.name;
    this.#fifo = openIfFifo(files.source);
    this.#spoolPath = this.#fifo === undefined ? files.source : files.spool;
    this.#spool = new OnDemandFile(this.#spoolPath, 0o600);
    this.#spooled = fstatSync(this.#spool.fd).size;
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
    if (!this.#spool.isOpen && !pastReaders && bytesInPipe(this.#fifo) === 0) return 0;
    let taken = 0;
    while (taken < length) {
      const waiting = pastReaders ? this.#spooled - this.logged : this.backlog;
      const room = Math.min(length - taken, spoolBound - waiting);
      if (room <= 0) break;
      const moved = spliceToFile(this.#fifo, this.#spool.fd, this.#spooled, room);
      this.#hasWriter = moved !== 0;
      if (!moved) break;
      taken += moved;
      this.#spooled += moved;
    }
    return taken;
  }

  /** Reads what is not logged yet into the buffer. Returns the number of bytes. */
  read(buffer: Buffer): number {
    const length = Math.min(buffer.length, this.#spooled - this.logged);
    return length === 0 ? 0 : readSync(this.#spool.fd, buffer, 0, length, this.logged);
  }

  /** Releases the memory that all readers have passed. */
  free(): void {
    const slowest = this.#slowest();
    const end = slowest - (slowest % holeSize);
    if (end <= this.#freed) return;
    punchHole(this.#spool.fd, this.#freed, end - this.#freed);
    this.#freed = end;
  }

  /** A descriptor of the spool file for a reader in another thread, which closes it. */
  openSpool(): number {
    return openFile(this.#spoolPath, 'r');
  }

  /** Closes the spool file until the next output. */
  rest(): void {
    if (this.#fifo !== undefined && this.backlog === 0) this.#spool.rest();
  }

  close(): void {
    this.#spool.close();
    if (this.#fifo !== undefined) closeFile(this.#fifo);
  }

  #slowest(): number {
    let slowest = this.logged;
    for (const reader of this.readers) slowest = Math.min(slowest, reader.offset(this.name));
    return slowest;
  }

  #measure(): number {
    const before = this.#spooled;
    this.#spooled = fstatSync(this.#spool.fd).size;
    return this.#spooled - before;
  }
}

function openIfFifo(path: string): number | undefined {
  return statSync(path).isFIFO() ? trackFile(openFifo(path, 'read')) : undefined;
}
