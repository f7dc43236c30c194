/** Timers of containers that wait for a restart. Holds only the schedule: the restart itself is passed in. */
import { type EndedRun, restartDelay } from './restart-policy.ts';

export class RestartTimers {
  readonly #timers = new Map<string, NodeJS.Timeout>();
  readonly #delays = new Map<string, number>();
  /** Containers being restarted by a user: their end does not trigger removal (`--rm`). */
  readonly #byUser = new Set<string>();
  #closed = false;

  /** Milliseconds until the restart; undefined if there will be none. */
  plan(id: string, run: Omit<EndedRun, 'lastDelay'>): number | undefined {
    if (this.#closed || this.#byUser.has(id)) return undefined;
    return restartDelay({ ...run, lastDelay: this.#delays.get(id) ?? 0 });
  }

  schedule(id: string, delay: number, work: () => void): void {
    this.cancel(id);
    this.#delays.set(id, delay);
    const timer = setTimeout(() => {
      this.#timers.delete(id);
      work();
    }, delay);
    this.#timers.set(id, timer);
  }

  /** True when a restart was pending. */
  cancel(id: string): boolean {
    const timer = this.#timers.get(id);
    clearTimeout(timer);
    return this.#timers.delete(id);
  }

  /** On a start or removal by a user: resets the delay to the shortest one. */
  reset(id: string): void {
    this.cancel(id);
    this.#delays.delete(id);
  }

  async restartingByUser<T>(id: string, work: () => Promise<T>): Promise<T> {
    this.#byUser.add(id);
    try {
      return await work();
    } finally {
      this.#byUser.delete(id);
    }
  }

  isRestartingByUser(id: string): boolean {
    return this.#byUser.has(id);
  }

  /** At the daemon's end: no container is restarted any more. */
  close(): void {
    this.#closed = true;
    for (const id of [...this.#timers.keys()]) this.cancel(id);
  }

  get closed(): boolean {
    return this.#closed;
  }
}
