/**
 * One output file of a running container: the shim appends, readers follow at their own pace, and the disk space
 * behind the slowest of them is given back. Reads are synchronous: the pages were written a moment ago and are in
 * memory.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import type { PipeFiles } from '../context.ts';
import { hasCode } from './file-errors.ts';

/** Space is given back in steps of this many bytes; a multiple of every page size. */
const holeSize = 1024 * 1024;
/** A reader that is farther behind than this is left behind, so that it cannot fill the disk. */
export const maximumLag = 256 * 1024 * 1024;

export interface SourceReader {
  offset: number;
}

export class SourceFile {
  readonly #fd: number;
  readonly #punchHole: PipeFiles['punchHole'];
  readonly #readers = new Set<SourceReader>();
  #freed: number;
  #wanted = true;
  #closed = false;

  private constructor(fd: number, offset: number, punchHole: PipeFiles['punchHole']) {
    this.#fd = fd;
    this.#punchHole = punchHole;
    this.#freed = offset - (offset % holeSize);
  }

  /** @param offset what is already dealt with. Undefined when there is no such file. */
  static open(path: string, offset: number, punchHole: PipeFiles['punchHole']): SourceFile | undefined {
    try {
      return new SourceFile(openSync(path, constants.O_RDWR), offset, punchHole);
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  get size(): number {
    return fstatSync(this.#fd).size;
  }

  /** A reader from `offset` on; undefined: from the end. */
  reader(offset?: number): SourceReader {
    const reader = { offset: offset ?? this.size };
    this.#readers.add(reader);
    return reader;
  }

  drop(reader: SourceReader): void {
    this.#readers.delete(reader);
    this.#closeIfUnused();
  }

  isReading(reader: SourceReader): boolean {
    return this.#readers.has(reader);
  }

  /** Bytes read into `buffer`; 0 at the present end. The reader moves along. */
  read(reader: SourceReader, buffer: Buffer): number {
    const count = readSync(this.#fd, buffer, 0, buffer.length, reader.offset);
    reader.offset += count;
    return count;
  }

  /** Gives back what everybody has read; whoever is too far behind `offset` is dropped. */
  free(offset: number): void {
    let slowest = offset;
    for (const reader of this.#readers) {
      if (offset - reader.offset > maximumLag) this.#readers.delete(reader);
      else slowest = Math.min(slowest, reader.offset);
    }
    const end = slowest - (slowest % holeSize);
    if (end <= this.#freed) return;
    this.#punchHole(this.#fd, this.#freed, end - this.#freed);
    this.#freed = end;
  }

  /** Readers that are still there may go on to the end. */
  close(): void {
    this.#wanted = false;
    this.#closeIfUnused();
  }

  #closeIfUnused(): void {
    if (this.#wanted || this.#closed || this.#readers.size > 0) return;
    this.#closed = true;
    closeSync(this.#fd);
  }
}
