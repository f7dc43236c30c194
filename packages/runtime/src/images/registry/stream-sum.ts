/** Digest and size of a stream that is sent meanwhile. */
import { createHash } from 'node:crypto';
import { NetyardError } from '@netyard/core';

export class StreamSum {
  readonly #stream: AsyncIterable<Uint8Array>;
  readonly #hash = createHash('sha256');
  #size = 0;
  #isComplete = false;

  constructor(stream: AsyncIterable<Uint8Array>) {
    this.#stream = stream;
  }

  async *read(): AsyncGenerator<Uint8Array> {
    for await (const chunk of this.#stream) {
      this.#hash.update(chunk);
      this.#size += chunk.length;
      yield chunk;
    }
    this.#isComplete = true;
  }

  /** Throws `unavailable` when the receiver has responded before it could have the whole stream. */
  result(): { digest: string; size: number } {
    if (this.#isComplete) return { digest: `sha256:${this.#hash.digest('hex')}`, size: this.#size };
    throw new NetyardError('unavailable', 'the registry responded before it received the whole layer');
  }
}
