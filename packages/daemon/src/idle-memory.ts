/**
 * Returns memory to the system when the daemon is idle after a burst of work. Without it, an hour later the daemon still has
 * what parallel loads of images took at their peak: free, but scattered between blocks that are in use. V8 does not collect
 * what a burst left behind before it allocates again: 20 MB of its heap and 9 MB of buffers after some hundred requests.
 * Besides, the daemon keeps the pages of Node's program file that only its start and its compilers read, 50 MB.
 */
import type { EventLoopUtilization } from 'node:perf_hooks';
import { type Logger, messageOf } from '@netyard/core';
import { releaseFreeMemory, releaseProgramPages } from '@netyard/kernel';

const afterStartMs = 1_000;
const checkEveryMs = 5_000;
/** Below this, releasing and touching the memory again costs more than it saves. */
const growth = 8 * 1024 * 1024;
/** Share of the time since the last check in which the event loop was busy. */
const idleUtilization = 0.1;

export interface MemoryUse {
  /** Resident bytes. */
  resident: number;
  /** Of the event loop, 0 to 1. */
  utilization: number;
}

/** Pure. @param lowest resident bytes after the last release, or fewer since then */
export const shouldRelease = ({ resident, utilization }: MemoryUse, lowest: number): boolean =>
  resident > lowest + growth && utilization < idleUtilization;

/** @returns the end of it */
export function releaseIdleMemory(logger: Logger): () => void {
  const resident = (): number => process.memoryUsage.rss();
  let lowest = resident();
  const release = async (): Promise<void> => {
    globalThis.gc?.(); // some 30 ms; absent without --expose-gc
    await releaseFreeMemory();
    await releaseProgramPages();
    lowest = resident();
  };
  let before: EventLoopUtilization = performance.eventLoopUtilization();
  const check = async (): Promise<void> => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, before);
    before = now;
    const use = { resident: resident(), utilization };
    if (shouldRelease(use, lowest)) {
      await release();
      logger.debug('returned free memory to the system', { before: use.resident, after: lowest });
    } else lowest = Math.min(lowest, use.resident);
  };
  const start = (work: () => Promise<void>) => () => {
    work().catch((error: unknown) => logger.warn('free memory is not returned', { reason: messageOf(error) }));
  };
  const first = setTimeout(start(release), afterStartMs).unref();
  const timer = setInterval(start(check), checkEveryMs).unref();
  return () => {
    clearTimeout(first);
    clearInterval(timer);
  };
}
