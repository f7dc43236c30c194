/** A clock that is passed as a parameter, so that code that depends on time can be tested without waiting. */
export interface Clock {
  /** Nanoseconds since the Unix epoch, UTC. */
  now(): bigint;
}

const startWall = BigInt(Date.now()) * 1_000_000n;
const startMonotonic = process.hrtime.bigint();

/** Wall-clock milliseconds refined by the monotonic clock, re-anchored when the two drift apart by over 50 ms. */
export const systemClock: Clock = (() => {
  let offset = startWall - startMonotonic;
  return {
    now(): bigint {
      const wall = BigInt(Date.now()) * 1_000_000n;
      const fine = process.hrtime.bigint() + offset;
      const drift = fine > wall ? fine - wall : wall - fine;
      if (drift <= 50_000_000n) return fine;
      offset = wall - process.hrtime.bigint();
      return wall;
    },
  };
})();

/** RFC 3339 with nine decimals, as Docker prints times: `2026-11-23T20:31:07.123456789Z`. */
export function formatTime(nanoseconds: bigint): string {
  const seconds = new Date(Number(nanoseconds / 1_000_000_000n) * 1000).toISOString().slice(0, 19);
  return `${seconds}.${(nanoseconds % 1_000_000_000n).toString().padStart(9, '0')}Z`;
}

/** Docker's timestamp for "never". */
export const zeroTime = '0001-01-01T00:00:00Z';
