/** Time slices for long work in the single-threaded event loop. */
import { setImmediate as yieldToEventLoop } from 'node:timers/promises';

/** Maximum time that one piece of long work blocks the event loop. */
const sliceMs = 2;

/**
 * Yields to the event loop when a piece of long work has used up its time slice.
 *
 *     const slice = new TimeSlice();
 *     for (const file of files) {
 *       process(file);
 *       if (slice.isOver) await slice.next();
 *     }
 */
export class TimeSlice {
  #ends = performance.now() + sliceMs;

  get isOver(): boolean {
    return performance.now() >= this.#ends;
  }

  async next(): Promise<void> {
    await yieldToEventLoop();
    this.#ends = performance.now() + sliceMs;
  }
}
