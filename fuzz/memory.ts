/** Whether the daemon's resident memory grew during a run. Pure. */

export interface MemoryVerdict {
  /** Medians in MiB. The first quarter fills caches and compiles code, so the second is what the last is compared with. */
  secondQuarter: number;
  lastQuarter: number;
  peak: number;
  /** After the run, with nothing to do. */
  idle: number;
  /** What the last quarter and the idle daemon may be above the second quarter. */
  tolerance: number;
  verdict: 'flat' | 'grew' | 'too short to checkState';
}

/** Fewer samples (one each 1,000 requests) say nothing: V8 and malloc give memory back late. */
const ENOUGH_SAMPLES = 40;
/**
 * V8 lets its heap grow before it collects, and malloc keeps what threads freed: the medians of the second and the last
 * quarter of runs without growth were up to 12 % apart.
 */
const TOLERANCE = { part: 0.15, megabytes: 10 };

/** @param samples in order, one after each block of requests @param idle some, after the run */
export function judgeMemory(samples: readonly number[], idle: readonly number[]): MemoryVerdict {
  const quarter = Math.floor(samples.length / 4);
  const secondQuarter = median(samples.slice(quarter, 2 * quarter));
  const lastQuarter = median(samples.slice(samples.length - quarter));
  const atRest = median(idle);
  const tolerance = Math.round(secondQuarter * TOLERANCE.part + TOLERANCE.megabytes);
  // Both: work under way at the end is no growth, nor is a moment of rest in which the heap was not collected.
  const grew = Math.min(lastQuarter, atRest) > secondQuarter + tolerance;
  const verdict = samples.length < ENOUGH_SAMPLES ? 'too short to checkState' : grew ? 'grew' : 'flat';
  return { secondQuarter, lastQuarter, peak: Math.max(0, ...samples), idle: atRest, tolerance, verdict };
}

export const formatMemory = ({ secondQuarter, lastQuarter, peak, idle, tolerance, verdict }: MemoryVerdict): string =>
  `${verdict}: medians ${secondQuarter} MiB in the second quarter, ${lastQuarter} in the last, ${idle} idle ` +
  `(tolerance ${tolerance}), peak ${peak}`;

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
