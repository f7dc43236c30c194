/** Recognizes the key sequence that detaches from a container. Pure. */

export const defaultDetachKeys = 'ctrl-p,ctrl-q';

/** Bytes of `ctrl-p,ctrl-q` or `ctrl-@,x`. Throws docker's message for an unknown key. */
export function parseDetachKeys(text: string): number[] {
  return text.split(',').map((key) => {
    if ([...key].length === 1 && key.charCodeAt(0) < 128) return key.charCodeAt(0);
    const match = /^ctrl-([a-z@[\\\]^_])$/.exec(key);
    const letter = match?.[1];
    if (letter === undefined) throw new Error(`Unknown character: '${key}'`);
    return letter === '@' ? 0 : letter.toUpperCase().charCodeAt(0) - 64;
  });
}

/** Filters typed bytes; holds back those that may begin the sequence. */
export class DetachScanner {
  readonly #keys: readonly number[];
  #matched = 0;

  constructor(keys: readonly number[]) {
    this.#keys = keys;
  }

  /** Returns the bytes to forward, and whether the sequence is complete. */
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
