/**
 * Writes a file in large steps: each one through the thread pool costs more than copying a small piece does. A step is
 * written while the pieces of the next one are received.
 */
import { writeSync, writev } from 'node:fs';
import { promisify } from 'node:util';
import type { Piece } from '@netyard/core';

const writeLater = promisify(writev);

const stepSize = 1024 * 1024;
/** Up to this much is written in place, into the page cache; see archive-entry.ts. */
const writtenInPlace = 64 * 1024;

/** Pieces of at least this size are worth freeing. */
const freedSize = 16 * 1024;

export interface WriteOptions {
  /**
   * Nothing else uses the memory of the pieces: it is freed once they are written. The garbage collector notices little of
   * memory outside of its heap, and ran several times over the whole heap while 300 MB were written.
   */
  areOwned?: boolean;
}

/**
 * Writes pieces in order, at their positions. They must not change before this has resolved.
 *
 * @returns when nothing is being written any more, also when it rejects, so that the file can be closed
 * @throws what a write or the source fails with
 */
export async function writePieces(
  fd: number,
  pieces: AsyncIterable<Piece>,
  { areOwned = false }: WriteOptions = {},
): Promise<void> {
  const steps = new Steps(fd, areOwned);
  try {
    for await (const { position, data } of pieces) {
      if (!steps.continuesAt(position)) await steps.begin(position);
      steps.add(data);
      if (steps.isFull) await steps.begin();
    }
    await steps.begin();
  } finally {
    await steps.settled;
  }
  steps.check();
}

/** Collects pieces that follow each other, while the ones before are written. */
class Steps {
  readonly #fd: number;
  readonly #areOwned: boolean;
  #pieces: Uint8Array[] = [];
  #length = 0;
  /** Where the collected pieces begin. */
  #position = 0;
  #failure: { error: unknown } | undefined;
  /** The step that is being written. Never rejects: `check` throws its failure. */
  settled: Promise<void> = Promise.resolve();

  constructor(fd: number, areOwned: boolean) {
    this.#fd = fd;
    this.#areOwned = areOwned;
  }

  get isFull(): boolean {
    return this.#length >= stepSize;
  }

  continuesAt(position: number): boolean {
    return position === this.#position + this.#length;
  }

  /** Throws what a step failed with. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Throws what a step before failed with. */
  add(data: Uint8Array): void {
    this.check();
    this.#pieces.push(data);
    this.#length += data.length;
  }

  /** Begins to write what was collected, when the step before is written; the next pieces begin at `next`. */
  async begin(next = this.#position + this.#length): Promise<void> {
    await this.settled;
    this.check();
    this.settled = this.#write(this.#pieces, this.#position, this.#length).catch((error: unknown) => {
      this.#failure = { error };
    });
    this.#pieces = [];
    this.#length = 0;
    this.#position = next;
  }

  async #write(all: readonly Uint8Array[], begin: number, length: number): Promise<void> {
    let pieces = all;
    for (let position = begin; position < begin + length; ) {
      const isSmall = begin + length - position <= writtenInPlace;
      const written = isSmall ? this.#writeInPlace(pieces, position) : await this.#writeLater(pieces, position);
      position += written;
      pieces = without(pieces, written);
    }
    if (this.#areOwned) all.forEach(freeMemory);
  }

  #writeInPlace([first = new Uint8Array(0)]: readonly Uint8Array[], position: number): number {
    return writeSync(this.#fd, first, 0, first.length, position);
  }

  async #writeLater(pieces: readonly Uint8Array[], position: number): Promise<number> {
    return (await writeLater(this.#fd, [...pieces], position)).bytesWritten;
  }
}

/** A piece that is only a part of its buffer stays, as others may be in use. */
function freeMemory({ buffer, byteLength }: Uint8Array): void {
  const isWhole = buffer instanceof ArrayBuffer && buffer.byteLength === byteLength;
  if (isWhole && byteLength >= freedSize) buffer.transfer(0);
}

/** What is left after so many bytes. */
function without(pieces: readonly Uint8Array[], written: number): Uint8Array[] {
  const rest = [...pieces];
  for (let left = written; left > 0 || rest[0]?.length === 0; ) {
    const [first = new Uint8Array(0)] = rest;
    if (first.length > left) {
      rest[0] = first.subarray(left);
      break;
    }
    left -= first.length;
    rest.shift();
  }
  return rest;
}
