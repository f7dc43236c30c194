/**
 * Limits the CPU time that the threads that move output spend on containers that write at full speed. While such a
 * container's output is not read, its FIFO is full and it blocks in write(2), so this also limits the container, its
 * shim and its followers. Pure: time is a parameter, in milliseconds.
 */

/** Requests come in groups: `docker run` sends six, and its client computes in between. */
const afterRequestMs = 500;
/** Of one CPU, for each thread. */
const shareBesideRequests = 0.2;
const shareOfFewCpus = 0.6;
/** From this many CPUs on, the two threads leave enough for other work. */
const manyCpus = 4;
const longestPauseMs = 20;
/** Work before a pause: shorter ones cost more than they save. */
const sliceMs = 2;

/** @param sinceRequestMs time since the last API request */
export const isBesideRequests = (sinceRequestMs: number): boolean => sinceRequestMs < afterRequestMs;

/** Share of one CPU for one thread's work on fast writers. */
export function shareFor(cpus: number, sinceRequestMs: number): number {
  if (isBesideRequests(sinceRequestMs)) return shareBesideRequests;
  return cpus >= manyCpus ? 1 : shareOfFewCpus;
}

/** The pause that limits this work to its share of the time, with an upper bound: output always makes progress. */
export function pauseAfter(workedMs: number, share: number): number {
  return Math.min(longestPauseMs, workedMs * (1 / share - 1));
}

/** The time budget that all fast writers of a thread share. */
export class Pacer {
  #worked = 0;
  #resumeAt = 0;

  spend(workedMs: number, now: number, share: number): void {
    this.#worked += workedMs;
    if (this.#worked < sliceMs) return;
    this.#resumeAt = now + pauseAfter(this.#worked, share);
    this.#worked = 0;
  }

  /** Milliseconds until they may continue; 0: now. */
  waitMs(now: number): number {
    return Math.max(0, this.#resumeAt - now);
  }
}

/** Share of one CPU that output may use without being paced, for all containers together, and how much may accumulate. */
const freeShare = 0.05;
const savedMs = 5;

/** Distinguishes a fast writer from an occasional one. */
export class Allowance {
  #left = savedMs;
  #countedAt: number;

  constructor(now: number) {
    this.#countedAt = now;
  }

  /**
   * True when the container exceeds its part of the free share.
   * @param sharing number of containers whose output waits now, this one included
   */
  spend(workedMs: number, now: number, sharing: number): boolean {
    const earned = (Math.max(0, now - this.#countedAt) * freeShare) / Math.max(1, sharing);
    this.#countedAt = now;
    this.#left = Math.max(-savedMs, Math.min(savedMs, this.#left + earned) - workedMs);
    return this.#left < 0;
  }
}
