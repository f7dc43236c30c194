/** When the API was last asked for something: the main thread writes it, the threads that move output read it. */

/** Nothing was asked yet. */
const never = 0n;

export class RequestActivity {
  /** To be handed to another thread. */
  readonly buffer: SharedArrayBuffer;
  readonly #last: BigInt64Array;

  constructor(buffer = new SharedArrayBuffer(BigInt64Array.BYTES_PER_ELEMENT)) {
    this.buffer = buffer;
    this.#last = new BigInt64Array(buffer);
  }

  /** A request came, or was answered. */
  note(): void {
    Atomics.store(this.#last, 0, process.hrtime.bigint()); // CLOCK_MONOTONIC: the same in all threads
  }

  /** Milliseconds since then; infinite when there was none. */
  sinceMs(): number {
    const last = Atomics.load(this.#last, 0);
    return last === never ? Number.POSITIVE_INFINITY : Number(process.hrtime.bigint() - last) / 1e6;
  }
}
