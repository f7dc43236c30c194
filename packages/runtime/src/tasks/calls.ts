/** Calls to containerd, repeated after its restart where that is safe, with NetyardErrors. */
import { setTimeout as pause } from 'node:timers/promises';
import { type ContainerdClient, containerdError, isUnavailable, wasNeverSent } from '../containerd/client.ts';

const answerWithinMs = 15_000;
const askEveryMs = 50;

export class Calls {
  readonly client: ContainerdClient;
  readonly #ready: ((timeoutMs: number) => Promise<void>) | undefined;

  /** `ready`: waits for containerd; without it containerd is polled. */
  constructor(client: ContainerdClient, ready: ((timeoutMs: number) => Promise<void>) | undefined) {
    this.client = client;
    this.#ready = ready;
  }

  /** A call with side effects: made once. It is repeated only if it did not reach containerd. */
  async once<T>(doing: string, call: () => Promise<T>): Promise<T> {
    return this.#attempt(doing, call, wasNeverSent);
  }

  /** A call that may be repeated. */
  async repeatable<T>(doing: string, call: () => Promise<T>): Promise<T> {
    return this.#attempt(doing, call, isUnavailable);
  }

  /** Resolves when containerd responds. Throws `unavailable`. */
  async ready(): Promise<void> {
    if (this.#ready) return this.#ready(answerWithinMs);
    const deadline = performance.now() + answerWithinMs;
    for (;;) {
      try {
        await this.client.version.version({}, { timeoutMs: answerWithinMs });
        return;
      } catch (error) {
        if (!isUnavailable(error) || performance.now() > deadline) throw containerdError(error, 'ask for its version');
      }
      await pause(askEveryMs);
    }
  }

  async #attempt<T>(doing: string, call: () => Promise<T>, mayRepeat: (error: unknown) => boolean): Promise<T> {
    const deadline = performance.now() + answerWithinMs;
    for (;;) {
      try {
        return await call();
      } catch (error) {
        if (!mayRepeat(error) || performance.now() > deadline) throw containerdError(error, doing);
      }
      await pause(askEveryMs); // its supervisor detects its end a moment later
      await this.ready();
    }
  }
}
