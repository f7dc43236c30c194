/**
 * Decides whether the daemon's memory grew during a run. Pure.
 *
 * Resident memory does not show it: free pages that V8 and malloc retain make it vary by 70 MiB between equal runs. So the
 * memory in use is compared, after a garbage collection in all threads: the lowest of the samples in the last third of the
 * run with the lowest in the third before. Temporary use, such as a thread that started, raises single samples only. The
 * first third fills caches.
 *
 * Compiled code is reported but not judged: V8 compiles less and less, but for a long time, 60 bytes per request in the
 * first 100000 and 8 after 400000. Code that leaks also has source text and functions, which are objects.
 */
import type { MemoryInUse } from './measure-daemon.ts';

export interface MemoryVerdict {
  /** From the lowest sample of the second third to the lowest of the last. */
  growth: number;
  tolerance: number;
  verdict: 'flat' | 'grew' | 'too short to judge';
}

export interface MemorySample extends MemoryInUse {
  /** How many requests the daemon had received. */
  requests: number;
}

/**
 * A run of 40000 shows a leak of 500 bytes per request only: in one, memory that was freed late hid a leak of 100. One of
 * 100000 shows a leak of 100.
 */
export const JUDGED_REQUESTS = 40_000;
/**
 * In bytes. A run of 500000 grew by 4 per request, at the end by 3: inline caches, and what malloc holds about compiled
 * code.
 */
const TOLERANCE = { always: 1_000_000, perRequest: 15 };
/** What malloc holds for a thread, in bytes. How many rest is left to chance; a leak of threads shows as descriptors. */
const THREAD = 2_100_000;
const SAMPLES = 8;

/** After how many requests to measure: several times in the second and in the last third. */
export const samplePoints = (requests: number): number[] =>
  Array.from({ length: 2 * SAMPLES }, (_, index) => Math.floor((requests * (SAMPLES + index + 1)) / (3 * SAMPLES)));

export function judgeMemory(samples: readonly MemorySample[]): MemoryVerdict {
  const middle = Math.floor(samples.length / 2);
  const [former, last] = [samples.slice(0, middle), samples.slice(middle)];
  const end = samples.at(-1)?.requests ?? 0;
  if (former.length === 0 || end < JUDGED_REQUESTS) return { growth: 0, tolerance: 0, verdict: 'too short to judge' };
  const growth = lowest(last) - lowest(former);
  const tolerance = TOLERANCE.always + TOLERANCE.perRequest * (end - (former.at(-1)?.requests ?? 0));
  return { growth, tolerance, verdict: growth > tolerance ? 'grew' : 'flat' };
}

const lowest = (samples: readonly MemorySample[]): number => Math.min(...samples.map(inUse));

/** Array buffers are allocated with malloc. */
const inUse = ({ objects, threadObjects, malloc, threads }: MemoryInUse): number =>
  objects + threadObjects + malloc - THREAD * threads;

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1);

export const formatMemory = ({ growth, tolerance, verdict }: MemoryVerdict): string =>
  verdict === 'too short to judge'
    ? verdict
    : `${verdict}: ${megabytes(growth)} MB more in use in the last third than before (may be ${megabytes(tolerance)})`;

export const formatSample = (memory: MemoryInUse): string => {
  const { objects, threadObjects, malloc, threads, code } = memory;
  return (
    `in use without ${threads} threads: ${megabytes(inUse(memory))} MB; objects ${megabytes(objects)}, of a thread ` +
    `${megabytes(threadObjects)}, malloc ${megabytes(malloc)}, code ${megabytes(code)}`
  );
};
