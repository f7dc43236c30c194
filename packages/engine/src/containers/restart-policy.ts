/** Decides whether and when a container that ended is restarted. Pure; the timers are in restart-timers.ts. */
import type { RestartRule } from '../model.ts';

const firstDelay = 100;
const longestDelay = 60_000;
const longEnough = 10_000_000_000n;

export interface EndedRun {
  policy: RestartRule;
  exitCode: number;
  stoppedByUser: boolean;
  /** Restarts since a user started it. */
  restartCount: number;
  ranNanoseconds: bigint;
  /** Milliseconds waited before the last restart; 0 if there was none. */
  lastDelay: number;
}

/** Milliseconds to wait; undefined if it is not restarted. */
export function restartDelay(run: EndedRun): number | undefined {
  if (run.stoppedByUser || !wantsRestart(run)) return undefined;
  if (run.lastDelay === 0 || run.ranNanoseconds >= longEnough) return firstDelay;
  return Math.min(run.lastDelay * 2, longestDelay);
}

/** At the daemon's start: `always` also restarts containers that a user stopped, `unless-stopped` does not. */
export function restartsAtBoot(run: Pick<EndedRun, 'policy' | 'exitCode' | 'stoppedByUser' | 'restartCount'>): boolean {
  if (run.policy.name === 'always') return true;
  return !run.stoppedByUser && wantsRestart(run);
}

function wantsRestart({
  policy,
  exitCode,
  restartCount,
}: Pick<EndedRun, 'policy' | 'exitCode' | 'restartCount'>): boolean {
  if (policy.name === 'always' || policy.name === 'unless-stopped') return true;
  if (policy.name === 'no' || exitCode === 0) return false;
  return policy.maximumRetryCount === 0 || restartCount < policy.maximumRetryCount;
}
