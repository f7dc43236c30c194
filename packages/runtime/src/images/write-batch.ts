/** Writes a file in large steps: each one through the thread pool costs more than copying a small piece does. */
import { writeSync, writev } from 'node:fs';
import { promisify } from 'node:util';

const writeLater = promisify(writev);

const batchSize = 1024 * 1024;
/** Up to this much is written in place, into the page cache; see archive-entry.ts. */
const writtenInPlace = 64 * 1024;

/** Collects pieces that follow each other. They must not change before `flush` has resolved. */
export class WriteBatch {
  readonly #fd: number;
  #pieces: Uint8Array[] = [];
  #length = 0;
  #position = 0;

  constructor(fd: number) {
    this.#fd = fd;
  }

  async add(position: number, data: Uint8Array): Promise<void> {
    if (position !== this.#position + this.#length) {
      await this.flush();
      this.#position = position;
    }
    this.#pieces.push(data);
    this.#length += data.length;
    if (this.#length >= batchSize) await this.flush();
  }

  async flush(): Promise<void> {
    let pieces = this.#pieces;
    const end = this.#position + this.#length;
    this.#pieces = [];
    while (this.#position < end) {
      const isSmall = end - this.#position <= writtenInPlace;
      const written = isSmall ? this.#writeInPlace(pieces) : await this.#write(pieces);
      this.#position += written;
      pieces = without(pieces, written);
    }
    this.#length = 0;
  }

  #writeInPlace([first = new Uint8Array(0)]: readonly Uint8Array[]): number {
    return writeSync(this.#fd, first, 0, first.length, this.#position);
  }

  async #write(pieces: Uint8Array[]): Promise<number> {
    return (await writeLater(this.#fd, pieces, this.#position)).bytesWritten;
  }
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
