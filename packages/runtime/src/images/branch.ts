/** A second reader of a stream, which receives what the first one reads, at the pace of the slower of them. */

/** Bytes that wait for the second reader at most. */
const mostWaiting = 4 * 1024 * 1024;

export class Branch {
  readonly #waiting: Uint8Array[] = [];
  #length = 0;
  /** `failed`: the stream's error is the first reader's. */
  #end: 'open' | 'complete' | 'failed' = 'open';
  #isRead = true;
  #wake: () => void = () => undefined;

  /** What the first reader reads: the stream itself. */
  async *first(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of stream) {
        await this.#push(chunk);
        yield chunk;
      }
      this.#end = 'complete';
    } finally {
      this.end();
    }
  }

  /** Call this when the first reader may end without having begun: the second one would wait for it. */
  end(): void {
    if (this.#end === 'open') this.#end = 'failed';
    this.#wake();
  }

  /** What the second reader reads. When it stops early, the first one continues alone. */
  async *second(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        const chunk = this.#waiting.shift();
        if (chunk !== undefined) {
          this.#length -= chunk.length;
          this.#wake();
          yield chunk;
        } else if (this.#end === 'complete') return;
        else if (this.#end === 'failed') throw new Error('the stream failed');
        else await this.#change();
      }
    } finally {
      this.leave();
    }
  }

  /** The same for the second reader. */
  leave(): void {
    this.#isRead = false;
    this.#waiting.length = 0;
    this.#wake();
  }

  async #push(chunk: Uint8Array): Promise<void> {
    while (this.#isRead && this.#length > mostWaiting) await this.#change();
    if (!this.#isRead) return;
    this.#waiting.push(chunk);
    this.#length += chunk.length;
    this.#wake();
  }

  /** At most one reader waits at a time: the first one for room, the second one for data. */
  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}
