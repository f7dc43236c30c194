/**
 * Keeps a connection to one of several endpoints: after its end it tries the endpoints in turn, with back-off between
 * failed rounds. Independent of clusters.
 */
import type { NetyardError } from '@netyard/core';
import { combineErrors, delayAfter, pause, Rotation } from './retry.ts';

/** After a connection that lasted at least this long, the next one is opened without delay. */
const STABLE_MS = 5_000;
const FIRST_RETRY_MS = 500;

export interface ReconnectionOptions<E, C> {
  endpoints: readonly E[];
  /** Returns numbers from 0 to 1. */
  random: () => number;
  open(endpoint: E): Promise<C>;
  /** Uses the connection; resolves when it has ended. */
  use(connection: C): Promise<void>;
  /** Called after each round in which no endpoint could be connected to, except those of `openFirst`. */
  unreachable(error: NetyardError): void;
  /** Whether no further connection is needed. */
  isOver(): boolean;
}

export class Reconnection<E, C> {
  readonly #options: ReconnectionOptions<E, C>;
  readonly #rotation: Rotation<E>;
  readonly #closing = new AbortController();
  #waiting: AbortController | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(options: ReconnectionOptions<E, C>) {
    const { endpoints, random } = options;
    this.#options = options;
    this.#rotation = new Rotation(endpoints, Math.floor(random() * endpoints.length));
  }

  /** Aborted by `close`. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /** Tries once, and while the error is `unavailable`, again until `patienceMs` have passed. */
  async openFirst(patienceMs: number): Promise<C> {
    const deadline = performance.now() + patienceMs;
    for (;;) {
      const round = await this.#tryAll();
      if ('entered' in round) return round.entered;
      const error = combineErrors(round.errors);
      if (error.code !== 'unavailable' || performance.now() >= deadline) throw error;
      await pause(FIRST_RETRY_MS, this.#closing.signal);
    }
  }

  /** @param first an open connection; undefined: all endpoints have failed */
  start(first: C | undefined): void {
    this.#running = this.#run(first);
  }

  async #run(first: C | undefined): Promise<void> {
    const { use, unreachable, random } = this.#options;
    let connection = first;
    for (let failures = first ? 0 : 1; ; failures++) {
      if (connection) {
        const began = performance.now();
        await use(connection);
        if (performance.now() - began > STABLE_MS) failures = 0;
      }
      if (failures > 0 && !this.#isOver()) await this.#pause(delayAfter(failures, random()));
      if (this.#isOver()) return;
      const round = await this.#tryAll();
      connection = 'entered' in round ? round.entered : undefined;
      if ('errors' in round && !this.#isOver()) unreachable(combineErrors(round.errors));
    }
  }

  #tryAll = () => this.#rotation.tryAll(this.#options.open, this.#closing.signal);

  #isOver = (): boolean => this.#closing.signal.aborted || this.#options.isOver();

  async #pause(milliseconds: number): Promise<void> {
    this.#waiting = new AbortController();
    await pause(milliseconds, this.#waiting.signal);
    this.#waiting = undefined;
  }

  /** Ends a pause between two rounds. */
  retryNow(): void {
    this.#waiting?.abort();
  }

  /** Resolves when the connection has ended. */
  async close(reason: Error): Promise<void> {
    this.#closing.abort(reason);
    this.retryNow();
    await this.#running;
  }
}
