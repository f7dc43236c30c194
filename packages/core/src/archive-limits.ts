/** Bounds on archives that come from outside (cp, load, import, layers), and the meter that holds one archive to them. */
import { NetyardError } from './errors.ts';

export interface ArchiveLimits {
  /** Tar headers of one archive, those that only describe the next entry included. */
  entries: number;
  /** Files of one image archive: each is a blob in the content store. */
  imageFiles: number;
  /** Bytes of one archive when it is expanded: of the tar, and of its files with their holes. */
  bytes: number;
  /** Expanded bytes for each byte that was sent. */
  ratio: number;
}

export const defaultArchiveLimits: Readonly<ArchiveLimits> = {
  entries: 10_000_000,
  imageFiles: 100_000,
  bytes: Number.POSITIVE_INFINITY,
  ratio: Number.POSITIVE_INFINITY,
};

/** Padding alone compresses a hundredfold: the ratio says nothing of archives smaller than this. */
const RATIO_FLOOR_BYTES = 1024 * 1024;

/** An archive that exceeds a bound; what was made of it so far is to be removed. */
export class ArchiveLimitError extends NetyardError {
  constructor(reason: string, option: string) {
    super('invalid', `invalid archive: ${reason}`, { hint: `the daemon's option --${option} sets this limit` });
  }
}

/** Counts what one archive expands to. Every method throws `ArchiveLimitError`. */
export class ArchiveMeter {
  readonly #limits: ArchiveLimits;
  #entries = 0;
  #sent = 0;
  #expanded = 0;
  #files = 0;

  constructor(limits: Partial<ArchiveLimits> = {}) {
    this.#limits = { ...defaultArchiveLimits, ...limits };
  }

  addEntry(): void {
    this.#entries += 1;
    const { entries } = this.#limits;
    if (this.#entries > entries)
      throw new ArchiveLimitError(`it has more than ${entries} entries`, 'max-archive-entries');
  }

  /** @param size with holes */
  addFile(size: number): void {
    this.#files += size;
    this.#check(this.#files, 'its files have');
  }

  /** As they come from the client or the registry. */
  async *sent(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of stream) {
      this.#sent += chunk.length;
      yield chunk;
    }
  }

  async *expanded(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of stream) {
      this.#expanded += chunk.length;
      this.#check(this.#expanded, 'it expands to');
      yield chunk;
    }
  }

  #check(size: number, subject: string): void {
    const { bytes, ratio } = this.#limits;
    if (size > bytes) throw new ArchiveLimitError(`${subject} more than ${bytes} bytes`, 'max-archive-size');
    if (this.#sent === 0 || size <= RATIO_FLOOR_BYTES || size <= ratio * this.#sent) return;
    throw new ArchiveLimitError(`${subject} more than ${ratio} times the bytes that were sent`, 'max-archive-ratio');
  }
}
