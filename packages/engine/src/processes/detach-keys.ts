/** Docker's detach keys (`ctrl-p,ctrl-q`): parsing, and detecting them in a client's input. */
import { NetyardError } from '@netyard/core';

/** ctrl-p, ctrl-q. */
export const defaultDetachKeys: readonly number[] = [16, 17];

/** `ctrl-a`, `a`, `ctrl-[,x`, … ; empty: the default. Throws `invalid`. Pure. */
export function parseDetachKeys(text: string | undefined): readonly number[] {
  if (text === undefined || text === '') return defaultDetachKeys;
  return text.split(',').map((key) => {
    if (key.length === 1) return key.charCodeAt(0);
    const letter = /^ctrl-([a-z@[\\\]^_])$/.exec(key)?.[1];
    if (letter === undefined) throw new NetyardError('invalid', `Invalid detach keys (${text}) provided`);
    return letter.toUpperCase().charCodeAt(0) - 64;
  });
}

/** Holds keys back while they may be the start of the sequence. */
export class DetachWatch {
  readonly #keys: readonly number[];
  #matched = 0;

  constructor(keys: readonly number[]) {
    this.#keys = keys;
  }

  /** What to pass on, and whether the sequence is complete (input after it is dropped). */
  push(typed: Uint8Array): { pass: Buffer; detached: boolean } {
    const pass: number[] = [];
    for (const key of typed) {
      if (key === this.#keys[this.#matched]) {
        this.#matched += 1;
        if (this.#matched === this.#keys.length) return { pass: Buffer.from(pass), detached: true };
        continue;
      }
      pass.push(...this.#keys.slice(0, this.#matched));
      this.#matched = key === this.#keys[0] ? 1 : 0;
      if (this.#matched === 0) pass.push(key);
    }
    return { pass: Buffer.from(pass), detached: false };
  }
}
