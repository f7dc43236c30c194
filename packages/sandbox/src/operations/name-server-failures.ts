/** Name servers of containers that could not be opened, and the timer that tries them again. */
import type { NameServerFailure } from '../inspection/report.ts';

/** Retries per interval, over all containers: each one enters a namespace, and opens and binds a socket. */
const retriesPerInterval = 16;
const intervalMilliseconds = 5000;

export class NameServerFailures {
  readonly #retry: (ownerId: string) => void;
  /** By the id of the container that owns the namespace; the next one to be tried comes first. */
  readonly #failures = new Map<string, NameServerFailure>();
  #timer: NodeJS.Timeout | undefined;

  /** @param retry calls `set` or `delete`, and does not throw */
  constructor(retry: (ownerId: string) => void) {
    this.#retry = retry;
  }

  has(ownerId: string): boolean {
    return this.#failures.has(ownerId);
  }

  /** True when it is not known already. */
  set(ownerId: string, failure: NameServerFailure): boolean {
    const known = this.#failures.get(ownerId);
    this.#failures.set(ownerId, failure);
    this.#schedule();
    return known?.protocol !== failure.protocol;
  }

  /** True when it was there. */
  delete(ownerId: string): boolean {
    return this.#failures.delete(ownerId);
  }

  values(): readonly NameServerFailure[] {
    return [...this.#failures.values()];
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#failures.clear();
  }

  #schedule(): void {
    if (this.#failures.size === 0) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      for (const [ownerId, failure] of [...this.#failures].slice(0, retriesPerInterval)) {
        this.#failures.delete(ownerId);
        this.#failures.set(ownerId, failure); // last in the order
        this.#retry(ownerId);
      }
      this.#schedule();
    }, intervalMilliseconds).unref();
  }
}
