/** Lets tasks of one thread work one after the other, in the order in which they asked, within the share of a pacer. */
import { Pacer } from './pace.ts';

export class PacedTurns {
  readonly #pacer = new Pacer();
  readonly #now: () => number;
  readonly #waiting: (() => void)[] = [];
  #isScheduled = false;

  /** @param now milliseconds of a monotonic clock */
  constructor(now = (): number => performance.now()) {
    this.#now = now;
  }

  /** Number of tasks that wait for their turn. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Resolves when it is the caller's turn. The caller reports its work with `spend` before it waits for anything. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#schedule();
    });
  }

  /** @param share of one CPU, for all tasks together */
  spend(workedMs: number, share: number): void {
    this.#pacer.spend(workedMs, this.#now(), share);
  }

  #schedule(): void {
    if (this.#isScheduled || this.#waiting.length === 0) return;
    this.#isScheduled = true;
    const wait = this.#pacer.waitMs(this.#now());
    if (wait > 0) setTimeout(() => this.#run(), wait);
    else setImmediate(() => this.#run());
  }

  /** Checks again: the task of the turn before has worked since. */
  #run(): void {
    this.#isScheduled = false;
    if (this.#pacer.waitMs(this.#now()) === 0) this.#waiting.shift()?.();
    this.#schedule();
  }
}
