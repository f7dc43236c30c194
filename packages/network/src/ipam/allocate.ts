/**
 * Picks the next free address: the first one after the cursor, going round at the end, so that an address which was
 * just given back is the last to be given out again. Pure; keeps no state (pool.ts does).
 */
export interface AllocationRange {
  /** First and last address that may be given out, as numbers. */
  first: bigint;
  last: bigint;
  /** Where the last allocation stood; undefined: nothing was given out yet. */
  cursor: bigint | undefined;
  isTaken(value: bigint): boolean;
  /** How many of the addresses in the range are taken: lets a full range be told without a walk. */
  takenCount: bigint;
}

/** Undefined when the range is full. Walks over taken addresses only; one step when the pool is lightly used. */
export function nextFree(range: AllocationRange): bigint | undefined {
  const size = range.last - range.first + 1n;
  if (size <= 0n || range.takenCount >= size) return undefined;
  const inside = range.cursor !== undefined && range.cursor >= range.first && range.cursor < range.last;
  let candidate = inside && range.cursor !== undefined ? range.cursor + 1n : range.first;
  for (let step = 0n; step < size; step += 1n) {
    if (!range.isTaken(candidate)) return candidate;
    candidate = candidate === range.last ? range.first : candidate + 1n;
  }
  return undefined;
}
