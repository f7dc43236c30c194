/** Decides whether the daemon's resident memory grew during a run. Pure. */

export interface MemoryVerdict {
  /** Medians in MiB. The first quarter fills caches and compiles code, so the last is compared with the second. */
  secondQuarter: number;
  lastQuarter: number;
  peak: number;
  /** After the run, with an idle daemon. */
  idle: number;
  /** How much the last quarter and the idle daemon may exceed the second quarter. */
  tolerance: number;
  verdict: 'flat' | 'grew' | 'too short to judge';
}

/** Fewer samples (one per 1,000 requests) are not significant: V8 and malloc release memory late. */
const ENOUGH_SAMPLES = 40;
/**
 * V8 lets its heap grow before it collects, and malloc retains memory freed by threads: in runs without growth the
 * medians of the second and the last quarter differed by up to 12 %.
 */
const TOLERANCE = { part: 0.15, megabytes: 10 };

/** @param samples in order, one after each block of requests @param idle samples after the run */
export function judgeMemory(samples: readonly number[], idle: readonly number[]): MemoryVerdict {
  const quarter = Math.floor(samples.length / 4);
  const secondQuarter = median(samples.slice(quarter, 2 * quarter));
  const lastQuarter = median(samples.slice(samples.length - quarter));
  const atRest = median(idle);
  const tolerance = Math.round(secondQuarter * TOLERANCE.part + TOLERANCE.megabytes);
  // The smaller one: neither work in progress at the end nor an idle heap that was not collected is growth.
  const grew = Math.min(lastQuarter, atRest) > secondQuarter + tolerance;
  const verdict = samples.length < ENOUGH_SAMPLES ? 'too short to judge' : grew ? 'grew' : 'flat';
  return { secondQuarter, lastQuarter, peak: Math.max(0, ...samples), idle: atRest, tolerance, verdict };
}

export const formatMemory = ({ secondQuarter, lastQuarter, peak, idle, tolerance, verdict }: MemoryVerdict): string =>
  `${verdict}: medians ${secondQuarter} MiB in the second quarter, ${lastQuarter} in the last, ${idle} idle ` +
  `(tolerance ${tolerance}), peak ${peak}`;

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
