/**
 * Tasks of containers that are removed by force. Their processes are dead and their network is free; what is left is
 * the farewell of shim and runtime (two processes started, some 25 ms), for which nobody who said `rm -f` needs to
 * wait. A daemon killed meanwhile finds such a task at its return: no container claims it (reconcile.ts).
 */
export class Departures {
  readonly #hurried = new Set<string>();
  readonly #leaving = new Set<Promise<void>>();

  /** Runs `work` while the container's task, should it end, may be left to itself. */
  async whileHurried<T>(id: string, work: () => Promise<T>): Promise<T> {
    this.#hurried.add(id);
    try {
      return await work();
    } finally {
      this.#hurried.delete(id);
    }
  }

  isHurried(id: string): boolean {
    return this.#hurried.has(id);
  }

  /** `deletion` must not reject. */
  add(deletion: Promise<void>): void {
    this.#leaving.add(deletion);
    void deletion.then(() => this.#leaving.delete(deletion));
  }

  /** Resolves when all that were leaving have left. */
  async idle(): Promise<void> {
    await Promise.all(this.#leaving);
  }
}
