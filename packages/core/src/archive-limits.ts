/** Limits for untrusted archives (cp, load, import, layers), and the meter that enforces them on one archive. */
import { NetyardError } from './errors.ts';

export interface ArchiveLimits {
  /** Tar headers per archive, including those that only extend the next header. */
  entries: number;
  /** Files per image archive: each becomes a blob in the content store. */
  imageFiles: number;
  /** Bytes of one expanded archive: of the tar stream, and of its files including holes. */
  bytes: number;
  /** Expanded bytes per transferred byte. */
  ratio: number;
}

export const defaultArchiveLimits: Readonly<ArchiveLimits> = {
  entries: 10_000_000,
  imageFiles: 100_000,
  bytes: Number.POSITIVE_INFINITY,
  ratio: Number.POSITIVE_INFINITY,
};

/** Tar padding alone compresses a hundredfold, so the ratio is not checked below this size. */
const RATIO_FLOOR_BYTES = 1024 * 1024;

/** An archive exceeds a limit; the caller deletes what it has unpacked so far. */
export class ArchiveLimitError extends NetyardError {
  constructor(reason: string, option: string) {
    super('invalid', `invalid archive: ${reason}`, {
      hint: `raise the daemon's option --${option}, which sets this limit`,
    });
  }
}

/** Measures what one archive expands to. Every method throws `ArchiveLimitError`. */
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

  /** @param size including holes */
  addFile(size: number): void {
    this.#files += size;
    this.#check(this.#files, 'its files have');
  }

  /** Counts bytes as received from the client or the registry. */
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
