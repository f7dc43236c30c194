/**
 * A sorted index of disjoint prefixes with values. Lookups of addresses and overlapping prefixes use binary search. No
 * longest-prefix match: overlapping prefixes are rejected.
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

  /** An entry that overlaps with the prefix. */
  overlapping(prefix: Prefix): { prefix: Prefix; value: T } | undefined {
    const entries = this.#entries[prefix.family];
    const entry = entries[firstEndingFrom(entries, networkOf(prefix).value)];
    return entry !== undefined && entry.first <= lastOf(prefix).value ? entry : undefined;
  }

  /** The entry that contains the address. */
  find(ip: Ip): { prefix: Prefix; value: T } | undefined {
    return this.overlapping({ ...ip, length: ip.family === 4 ? 32 : 128 });
  }

  /** Throws RangeError when the prefix overlaps with an entry: check `overlapping` first. */
  add(prefix: Prefix, value: T): void {
    if (this.overlapping(prefix)) throw new RangeError('the prefix overlaps with an existing one');
    const entries = this.#entries[prefix.family];
    const first = networkOf(prefix).value;
    entries.splice(firstEndingFrom(entries, first), 0, { first, last: lastOf(prefix).value, prefix, value });
  }

  /** Deletes exactly this prefix; false when it is not in the index. */
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

/**
 * Position of the first entry that does not end before the address: of disjoint entries the only one that can contain
 * it.
 */
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
