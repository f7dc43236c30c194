/** Time slices for long work in the single-threaded event loop. */
/** Maximum time that one piece of long work blocks the event loop. */
const sliceMs = 2;

/** Pieces of work that wait for their next slice. Each iteration of the event loop continues one of them. */
class SliceQueue {
  readonly #waiting: (() => void)[] = [];

  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      if (this.#waiting.length === 1) this.#continueLater();
    });
  }

  #continueLater(): void {
    setImmediate(() => {
      this.#waiting.shift()?.();
      if (this.#waiting.length > 0) this.#continueLater();
    });
  }
}

/**
 * Yields to the event loop when a piece of long work has used up its time slice. However many pieces there are, the event
 * loop waits for one slice at a time.
 *
 *     const slice = new TimeSlice();
 *     for (const file of files) {
 *       process(file);
 *       if (slice.isOver) await slice.next();
 *     }
 */
export class TimeSlice {
  /** Of this thread, as its event loop is. */
  static readonly #queue = new SliceQueue();
  #ends = performance.now() + sliceMs;

  get isOver(): boolean {
    return performance.now() >= this.#ends;
  }

  async next(): Promise<void> {
    await TimeSlice.#queue.next();
    this.#ends = performance.now() + sliceMs;
  }
}
