const none = new Uint8Array(0);

/** Reads an async iterable of chunks in portions of requested sizes. A chunk's last portion may be freed by its reader. */
export class ByteSource {
  readonly #iterator: AsyncIterator<Uint8Array>;
  #chunk: Uint8Array = none;
  #ended = false;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#iterator = source[Symbol.asyncIterator]();
  }

  /** Exactly `length` bytes, or fewer at the end of the source. */
  async take(length: number): Promise<Uint8Array> {
    if (this.#chunk.length >= length) return this.#cut(length);
    const parts: Uint8Array[] = [];
    let left = length;
    while (left > 0 && (await this.#fill())) {
      const part = this.#cut(Math.min(left, this.#chunk.length));
      parts.push(part);
      left -= part.length;
    }
    return Buffer.concat(parts);
  }

  /** Between one and `most` bytes, as available; none at the end. */
  async some(most: number): Promise<Uint8Array> {
    if (!(await this.#fill())) return none;
    return this.#cut(Math.min(most, this.#chunk.length));
  }

  async close(): Promise<void> {
    await this.#iterator.return?.();
  }

  async #fill(): Promise<boolean> {
    while (this.#chunk.length === 0 && !this.#ended) {
      const next = await this.#iterator.next();
      if (next.done) this.#ended = true;
      else this.#chunk = next.value;
    }
    return this.#chunk.length > 0;
  }

  #cut(length: number): Uint8Array {
    const part = this.#chunk.subarray(0, length);
    this.#chunk = length < this.#chunk.length ? this.#chunk.subarray(length) : none;
    return part;
  }
}
