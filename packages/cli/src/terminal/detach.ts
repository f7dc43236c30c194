/** The key sequence that leaves a container running and ends the attachment. Pure. */

export const defaultDetachKeys = 'ctrl-p,ctrl-q';

/** Bytes of `ctrl-p,ctrl-q`, `ctrl-@,x`. Throws docker's words for what is no key. */
export function parseDetachKeys(text: string): number[] {
  return text.split(',').map((key) => {
    if ([...key].length === 1 && key.charCodeAt(0) < 128) return key.charCodeAt(0);
    const match = /^ctrl-([a-z@[\\\]^_])$/.exec(key);
    const letter = match?.[1];
    if (letter === undefined) throw new Error(`Unknown character: '${key}'`);
    return letter === '@' ? 0 : letter.toUpperCase().charCodeAt(0) - 64;
  });
}

/** Feeds on typed bytes; keeps back those that may be the beginning of the sequence. */
export class DetachScanner {
  readonly #keys: readonly number[];
  #matched = 0;

  constructor(keys: readonly number[]) {
    this.#keys = keys;
  }

  /** What is to be passed on, and whether the sequence is complete. */
  feed(bytes: Uint8Array): { forward: Uint8Array; detached: boolean } {
    const forward: number[] = [];
    for (const byte of bytes) {
      if (byte === this.#keys[this.#matched]) {
        this.#matched += 1;
        if (this.#matched === this.#keys.length) return { forward: Uint8Array.from(forward), detached: true };
        continue;
      }
      forward.push(...this.#keys.slice(0, this.#matched));
      this.#matched = byte === this.#keys[0] ? 1 : 0;
      if (this.#matched === 0) forward.push(byte);
    }
    return { forward: Uint8Array.from(forward), detached: false };
  }
}
