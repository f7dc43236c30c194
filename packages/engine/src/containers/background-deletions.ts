/**
 * Task deletions of containers removed by force. Their processes are dead and their network is released; what remains
 * is shutting down shim and runtime (two process starts, about 25 ms), which the client of `rm -f` need not wait for.
 * If the daemon is killed meanwhile, its next start finds a task without a container record (reconcile.ts).
 */
export class BackgroundDeletions {
  readonly #allowed = new Set<string>();
  readonly #pending = new Set<Promise<void>>();

  /** Runs `work`; meanwhile the container's task, if it ends, may be deleted in the background. */
  async whileAllowed<T>(id: string, work: () => Promise<T>): Promise<T> {
    this.#allowed.add(id);
    try {
      return await work();
    } finally {
      this.#allowed.delete(id);
    }
  }

  isAllowed(id: string): boolean {
    return this.#allowed.has(id);
  }

  /** `deletion` must not reject. */
  add(deletion: Promise<void>): void {
    this.#pending.add(deletion);
    void deletion.then(() => this.#pending.delete(deletion));
  }

  /** Resolves when all pending deletions are done. */
  async idle(): Promise<void> {
    await Promise.all(this.#pending);
  }
}
