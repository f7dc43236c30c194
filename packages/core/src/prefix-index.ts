/**
 * Disjoint prefixes in order, each with a value: whom an address or another prefix meets is found by bisection, so that
 * the thousandth costs what the first one cost. No longest match: what overlaps is refused.
 */
import { type Ip, type IpFamily, lastOf, networkOf, type Prefix } from './ip.ts';

interface Entry<T> {
  first: bigint;
  last: bigint;
  prefix: Prefix;
  value: T;
}

export class PrefixIndex<T> {
  readonly #entries: Record<IpFamily, Entry<T>[]> = { 4: [], 6: [] };

  /** One that has addresses in common with the prefix. */
  overlapping(prefix: Prefix): { prefix: Prefix; value: T } | undefined {
    const entries = this.#entries[prefix.family];
    const entry = entries[firstEndingFrom(entries, networkOf(prefix).value)];
    return entry !== undefined && entry.first <= lastOf(prefix).value ? entry : undefined;
  }

  /** The one that holds the address. */
  find(ip: Ip): { prefix: Prefix; value: T } | undefined {
    return this.overlapping({ ...ip, length: ip.family === 4 ? 32 : 128 });
  }

  /** Throws RangeError where there is one already: ask `overlapping` first. */
  add(prefix: Prefix, value: T): void {
    if (this.overlapping(prefix)) throw new RangeError('the prefix overlaps with one that is there');
    const entries = this.#entries[prefix.family];
    const first = networkOf(prefix).value;
    entries.splice(firstEndingFrom(entries, first), 0, { first, last: lastOf(prefix).value, prefix, value });
  }

  /** Exactly this one; false when it is not there. */
  delete(prefix: Prefix): boolean {
    const entries = this.#entries[prefix.family];
    const first = networkOf(prefix).value;
    const position = firstEndingFrom(entries, first);
    const entry = entries[position];
    if (entry?.first !== first || entry.last !== lastOf(prefix).value) return false;
    entries.splice(position, 1);
    return true;
  }
}

/** Place of the first entry that does not end before the address; of disjoint ones the only that may hold it. */
function firstEndingFrom(entries: readonly { last: bigint }[], address: bigint): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const entry = entries[middle];
    if (entry !== undefined && entry.last < address) low = middle + 1;
    else high = middle;
  }
  return low;
}
