/** Long work on the one thread that everything else shares. */
import { setImmediate as nextTurn } from 'node:timers/promises';

/** What other work may have to wait for one piece of long work. */
const turnMs = 2;

/**
 * Lets others in when a piece of long work has had the thread for a while.
 *
 *     const turn = new Turn();
 *     for (const file of files) {
 *       look(file);
 *       if (turn.isOver) await turn.next();
 *     }
 */
export class Turn {
  #ends = performance.now() + turnMs;

  get isOver(): boolean {
    return performance.now() >= this.#ends;
  }

  async next(): Promise<void> {
    await nextTurn();
    this.#ends = performance.now() + turnMs;
  }
}
