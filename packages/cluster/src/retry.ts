/** Tries endpoints in turn, with exponential back-off between failed rounds. Independent of clusters. */
import { setTimeout as sleep } from 'node:timers/promises';
import { errorCodeOf, NetyardError } from '@netyard/core';

const FIRST_DELAY_MS = 200;
const MAX_DELAY_MS = 5_000;

export type Round<T> = { entered: T } | { errors: NetyardError[] };

/** Tries each endpoint once, starting after the one that was used last. */
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
          error instanceof NetyardError ? error : new NetyardError(errorCodeOf(error), String(error), { cause: error }),
        );
      }
    }
    return { errors };
  }
}

/** Combines the errors of a round: the first one other than `unavailable`; otherwise all of them. */
export function combineErrors(errors: readonly NetyardError[]): NetyardError {
  const specific = errors.find((error) => error.code !== 'unavailable');
  const [first] = errors;
  if (specific || (first && errors.length === 1)) return specific ?? (first as NetyardError);
  return new NetyardError('unavailable', errors.map(({ message }) => message).join('; ') || 'no endpoint was tried', {
    ...(first?.hint === undefined ? {} : { hint: first.hint }),
    cause: first,
  });
}

/** Exponential back-off with jitter, so that hosts do not retry in lockstep. `random` is from 0 to 1. */
export function delayAfter(failures: number, random: number): number {
  const longest = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.max(0, failures - 1));
  return Math.round(longest * (0.5 + random / 2));
}

/** Sleeps; resolves early when the signal is aborted. */
export async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await sleep(milliseconds, undefined, { signal, ref: false }).catch(() => undefined);
}
