/**
 * Decides whether the daemon's memory grew during a run. Pure.
 *
 * Resident memory does not show it: free pages that V8 and malloc retain make it vary by 70 MiB between equal runs, in
 * which the memory in use is the same within 1 MB. So the memory in use is compared, after a garbage collection and an
 * equally long rest, at the end of each third of the run. The first third fills caches and compiles code. V8 goes on
 * compiling after it, but less and less: a run without a leak grew by 175 bytes per request in the second third and by
 * 50 in the last. A leak grows in both, so the smaller growth counts.
 */
import type { MemoryInUse } from './measure-daemon.ts';

export interface MemoryVerdict {
  /** Growth in bytes in the second and in the last third. */
  growth: readonly [number, number];
  /** How much the smaller one may be. */
  tolerance: number;
  verdict: 'flat' | 'grew' | 'too short to judge';
}

export interface MemorySample extends MemoryInUse {
  /** How many requests the daemon had received. */
  requests: number;
}

/** With fewer requests in a run, the first growth hides a leak of 500 bytes per request. */
export const JUDGED_REQUESTS = 40_000;
/** In bytes: code that is compiled late, and memory that malloc cannot merge, without and with regard to requests. */
const TOLERANCE = { always: 3_000_000, perRequest: 50 };

/** @param samples at the end of each third */
export function judgeMemory(samples: readonly MemorySample[]): MemoryVerdict {
  const [first, second, last] = samples;
  if (!first || !second || !last) return { growth: [0, 0], tolerance: 0, verdict: 'too short to judge' };
  const growth = [inUse(second) - inUse(first), inUse(last) - inUse(second)] as const;
  const requests = Math.min(second.requests - first.requests, last.requests - second.requests);
  const tolerance = TOLERANCE.always + TOLERANCE.perRequest * requests;
  if (last.requests < JUDGED_REQUESTS) return { growth, tolerance, verdict: 'too short to judge' };
  return { growth, tolerance, verdict: Math.min(...growth) > tolerance ? 'grew' : 'flat' };
}

/** `external` is allocated with malloc, nearly all of it. */
const inUse = ({ heap, malloc }: MemoryInUse): number => heap + malloc;

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1);

export const formatMemory = ({ growth, tolerance, verdict }: MemoryVerdict): string =>
  `${verdict}: ${growth.map(megabytes).join(' and ')} MB more in use after the second and the last third ` +
  `(the smaller may be ${megabytes(tolerance)})`;

export const formatSample = ({ heap, external, malloc }: MemoryInUse): string =>
  `in use: heap ${megabytes(heap)} MB, malloc ${megabytes(malloc)} MB, of it external ${megabytes(external)} MB`;
