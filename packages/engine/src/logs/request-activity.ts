/** The time of the last API request: the main thread writes it, the threads that move output read it. */

/** No request yet. */
const never = 0n;

export class RequestActivity {
  /** Passed to other threads. */
  readonly buffer: SharedArrayBuffer;
  readonly #last: BigInt64Array;

  constructor(buffer = new SharedArrayBuffer(BigInt64Array.BYTES_PER_ELEMENT)) {
    this.buffer = buffer;
    this.#last = new BigInt64Array(buffer);
  }

  /** Records that a request arrived or was answered. */
  note(): void {
    Atomics.store(this.#last, 0, process.hrtime.bigint()); // CLOCK_MONOTONIC: the same in all threads
  }

  /** Milliseconds since then; infinite if there was none. */
  sinceMs(): number {
    const last = Atomics.load(this.#last, 0);
    return last === never ? Number.POSITIVE_INFINITY : Number(process.hrtime.bigint() - last) / 1e6;
  }
}
