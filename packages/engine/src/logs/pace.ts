/**
 * How much CPU the threads that move output may spend on containers that write as fast as they can. While such a
 * container's output is not taken its FIFO is full and it waits in write(2), so this bounds what the container, its shim
 * and its followers use as well. Pure: time is a parameter, in milliseconds.
 */

/** Requests come in groups: `docker run` makes six of them, and its client computes in between. */
const afterRequestMs = 500;
/** Of one CPU, for each thread. */
const shareBesideRequests = 0.2;
const shareOfFewCpus = 0.6;
/** With as many as these the two threads leave enough for others. */
const manyCpus = 4;
const longestPauseMs = 20;
/** Work before a pause: shorter ones cost more than they give. */
const sliceMs = 2;

/** Share of one CPU for one thread's work on fast writers. `sinceRequestMs`: since the API was last asked for something. */
export function shareFor(cpus: number, sinceRequestMs: number): number {
  if (sinceRequestMs < afterRequestMs) return shareBesideRequests;
  return cpus >= manyCpus ? 1 : shareOfFewCpus;
}

/** The pause that makes this work the given share of the time, within a bound: output always gets on. */
export function pauseAfter(workedMs: number, share: number): number {
  return Math.min(longestPauseMs, workedMs * (1 / share - 1));
}

/** The time that all fast writers of a thread have together. */
export class Pacer {
  #worked = 0;
  #resumeAt = 0;

  spend(workedMs: number, now: number, share: number): void {
    this.#worked += workedMs;
    if (this.#worked < sliceMs) return;
    this.#resumeAt = now + pauseAfter(this.#worked, share);
    this.#worked = 0;
  }

  /** Until they may go on; 0: now. */
  waitMs(now: number): number {
    return Math.max(0, this.#resumeAt - now);
  }
}

/** Share of one CPU that a container's output may take without being paced, and how much of it may be saved up. */
const freeShare = 0.05;
const savedMs = 5;

/** Tells a fast writer from one that writes now and then. */
export class Allowance {
  #left = savedMs;
  #countedAt: number;

  constructor(now: number) {
    this.#countedAt = now;
  }

  /** True when the container writes faster than is free. */
  spend(workedMs: number, now: number): boolean {
    const earned = Math.max(0, now - this.#countedAt) * freeShare;
    this.#countedAt = now;
    this.#left = Math.max(-savedMs, Math.min(savedMs, this.#left + earned) - workedMs);
    return this.#left < 0;
  }
}
