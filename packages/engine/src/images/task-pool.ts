/** Runs a limited number of tasks at a time; the first failure, or `outer`, aborts the rest. */
export class TaskPool {
  readonly #limit: number;
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  readonly #waiting: (() => void)[] = [];
  readonly #running = new Set<Promise<unknown>>();

  constructor(limit: number, outer: AbortSignal) {
    this.#limit = limit;
    this.#signal = AbortSignal.any([outer, this.#stop.signal]);
    this.#signal.addEventListener('abort', () => {
      for (const wake of this.#waiting.splice(0)) wake();
    });
  }

  async run<T>(task: (signal: AbortSignal) => Promise<T>): Promise<T> {
    while (this.#running.size >= this.#limit && !this.#signal.aborted) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#signal.throwIfAborted();
    const running = task(this.#signal);
    this.#running.add(running);
    try {
      return await running;
    } catch (error) {
      this.#stop.abort(error);
      throw error;
    } finally {
      this.#running.delete(running);
      this.#waiting.shift()?.();
    }
  }

  /** Aborts running tasks and resolves when they have ended. */
  async stop(): Promise<void> {
    this.#stop.abort(new Error('stopped'));
    await Promise.allSettled(this.#running);
  }
}
