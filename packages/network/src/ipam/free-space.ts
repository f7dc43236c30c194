/**
 * The free addresses of one predefined pool, as ranges in ascending order: finds the lowest free block without visiting
 * the allocated ones, however many there are. Addresses are numbers. Pure.
 */

/** Both ends included. */
export interface AddressRange {
  first: bigint;
  last: bigint;
}

/** The last address of a range that blocks part of the given one; undefined when nothing does. */
export type FindBlock = (range: AddressRange) => bigint | undefined;

export class FreeSpace {
  readonly #whole: AddressRange;
  /** Ascending, neither overlapping nor adjacent. */
  readonly #gaps: AddressRange[];

  constructor(whole: AddressRange) {
    this.#whole = whole;
    this.#gaps = [{ ...whole }];
  }

  /** Removes a range, of which any part may be outside of the pool or not free. */
  take({ first, last }: AddressRange): void {
    const start = this.#positionOf(first);
    let end = start;
    const rest: AddressRange[] = [];
    for (let gap = this.#gaps[end]; gap !== undefined && gap.first <= last; gap = this.#gaps[end]) {
      if (gap.first < first) rest.push({ first: gap.first, last: first - 1n });
      if (gap.last > last) rest.push({ first: last + 1n, last: gap.last });
      end += 1;
    }
    this.#gaps.splice(start, end - start, ...rest);
  }

  /** Adds the part of a range that is inside the pool; the caller ensures that nothing else uses it. */
  give(range: AddressRange): void {
    const first = max(range.first, this.#whole.first);
    const last = min(range.last, this.#whole.last);
    if (first > last) return;
    const start = this.#positionOf(first - 1n);
    const merged = { first, last };
    let end = start;
    for (let gap = this.#gaps[end]; gap !== undefined && gap.first <= last + 1n; gap = this.#gaps[end]) {
      merged.first = min(merged.first, gap.first);
      merged.last = max(merged.last, gap.last);
      end += 1;
    }
    this.#gaps.splice(start, end - start, merged);
  }

  /**
   * The first address of the lowest free block of this size, aligned to it, that nothing blocks. A blocking range is
   * passed over at once.
   */
  find(size: bigint, findBlock: FindBlock): bigint | undefined {
    for (const gap of this.#gaps) {
      let first = alignUp(gap.first, size);
      while (first + size - 1n <= gap.last) {
        const blocked = findBlock({ first, last: first + size - 1n });
        if (blocked === undefined) return first;
        first = alignUp(blocked + 1n, size);
      }
    }
    return undefined;
  }

  /** Position of the first gap that does not end before the address. */
  #positionOf(address: bigint): number {
    let low = 0;
    let high = this.#gaps.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const gap = this.#gaps[middle];
      if (gap !== undefined && gap.last < address) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

const max = (a: bigint, b: bigint): bigint => (a > b ? a : b);
const min = (a: bigint, b: bigint): bigint => (a < b ? a : b);
const alignUp = (value: bigint, size: bigint): bigint => ((value + size - 1n) / size) * size;
