/**
 * Encodes JSON values in pieces, so that a value of any size is written without blocking the event loop. Joined, the
 * pieces equal the result of JSON.stringify. Pure.
 */

/** Collections with more members than this are split; a smaller value (the HostConfig of an inspect) is one piece. */
const LARGE = 128;
/** Nesting down to which large collections are split: a network's containers, the images of a disk usage. */
const DEPTH = 3;

/** A list whose items are created when they are written. */
export class LazyList<T> implements Iterable<unknown> {
  readonly #items: readonly T[];
  readonly #translate: (item: T) => unknown;

  constructor(items: readonly T[], translate: (item: T) => unknown) {
    this.#items = items;
    this.#translate = translate;
  }

  *[Symbol.iterator](): Generator<unknown> {
    for (const item of this.#items) yield this.#translate(item);
  }
}

/** An object whose members are created when they are written. */
export class LazyMap<T> {
  readonly #items: readonly T[];
  readonly #translate: (item: T) => [key: string, value: unknown];

  constructor(items: readonly T[], translate: (item: T) => [key: string, value: unknown]) {
    this.#items = items;
    this.#translate = translate;
  }

  *entries(): Generator<[key: string, value: unknown]> {
    for (const item of this.#items) yield this.#translate(item);
  }
}

export function* jsonPieces(value: unknown): Generator<string> {
  if (!isLarge(value, 0)) yield JSON.stringify(value) ?? 'null';
  else if (value instanceof LazyList || Array.isArray(value)) yield* listPieces(value);
  else yield* objectPieces(value instanceof LazyMap ? value.entries() : Object.entries(value as object));
}

function* listPieces(list: Iterable<unknown>): Generator<string> {
  let before = '[';
  for (const item of list) {
    yield before;
    yield* jsonPieces(item);
    before = ',';
  }
  yield before === '[' ? '[]' : ']';
}

function* objectPieces(entries: Iterable<[string, unknown]>): Generator<string> {
  let before = '{';
  for (const [key, item] of entries) {
    if (item === undefined) continue;
    yield `${before}${JSON.stringify(key)}:`;
    yield* jsonPieces(item);
    before = ',';
  }
  yield before === '{' ? '{}' : '}';
}

function isLarge(value: unknown, depth: number): boolean {
  if (value instanceof LazyList || value instanceof LazyMap) return true;
  if (typeof value !== 'object' || value === null) return false;
  if (Array.isArray(value))
    return value.length > LARGE || (depth < DEPTH && value.some((member) => isLarge(member, depth + 1)));
  let members = 0;
  for (const key in value) {
    members += 1;
    if (members > LARGE || (depth < DEPTH && isLarge((value as Record<string, unknown>)[key], depth + 1))) return true;
  }
  return false;
}
