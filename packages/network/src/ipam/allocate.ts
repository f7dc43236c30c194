/**
 * Picks the next free address: the first one after the cursor, wrapping around at the end, so that an address just
 * released is allocated again last. Pure; holds no state (pool.ts does).
 */
export interface AllocationRange {
  /** First and last allocatable address, as numbers. */
  first: bigint;
  last: bigint;
  /** The last allocated address; undefined: nothing was allocated yet. */
  cursor: bigint | undefined;
  isTaken(value: bigint): boolean;
  /** Number of allocated addresses in the range: detects a full range without a walk. */
  takenCount: bigint;
}

/** Undefined when the range is full. Skips allocated addresses only: one step when the pool is lightly used. */
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
