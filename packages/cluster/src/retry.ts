/** Trying endpoints one after the other, and waiting longer between rounds that fail. Knows nothing of clusters. */
import { setTimeout as sleep } from 'node:timers/promises';
import { NetyardError } from '@netyard/core';

const FIRST_DELAY_MS = 200;
const MAX_DELAY_MS = 5_000;

export type Round<T> = { entered: T } | { errors: NetyardError[] };

/** One try each, beginning after the one that was used last. */
export class Rotation<E> {
  readonly #endpoints: readonly E[];
  #next: number;

  constructor(endpoints: readonly E[], first: number) {
    this.#endpoints = endpoints;
    this.#next = first;
  }

  async tryAll<T>(enter: (endpoint: E) => Promise<T>, signal: AbortSignal): Promise<Round<T>> {
    const errors: NetyardError[] = [];
    for (let tries = 0; tries < this.#endpoints.length && !signal.aborted; tries++) {
      const endpoint = this.#endpoints[this.#next % this.#endpoints.length];
      this.#next += 1;
      if (endpoint === undefined) break;
      try {
        return { entered: await enter(endpoint) };
      } catch (error) {
        errors.push(
          error instanceof NetyardError ? error : new NetyardError('internal', String(error), { cause: error }),
        );
      }
    }
    return { errors };
  }
}

/** One error for a round: the first that says more than that nobody answered; else all of them. */
export function combineErrors(errors: readonly NetyardError[]): NetyardError {
  const telling = errors.find((error) => error.code !== 'unavailable');
  const [first] = errors;
  if (telling || (first && errors.length === 1)) return telling ?? (first as NetyardError);
  return new NetyardError('unavailable', errors.map(({ message }) => message).join('; ') || 'nothing was tried', {
    ...(first?.hint === undefined ? {} : { hint: first.hint }),
    cause: first,
  });
}

/** Longer after each failure, and never the same for two hosts. `random` is from 0 to 1. */
export function delayAfter(failures: number, random: number): number {
  const longest = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.max(0, failures - 1));
  return Math.round(longest * (0.5 + random / 2));
}

/** Ends early, without an error, with the signal. */
export async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await sleep(milliseconds, undefined, { signal, ref: false }).catch(() => undefined);
}
