/** Long work on the one thread that everything else shares. */
import { setImmediate as yieldToEventLoop } from 'node:timers/promises';

/** What other work may have to wait for one piece of long work. */
const sliceMs = 2;

/**
 * Lets others in when a piece of long work has had the thread for a while.
 *
 *     const turn = new TimeSlice();
 *     for (const file of files) {
 *       look(file);
 *       if (turn.isOver) await turn.next();
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
