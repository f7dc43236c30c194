/** The STATUS column of `docker ps` and its durations. Pure. */
import type { ContainerState } from '../model.ts';

const SECOND = 1_000_000_000n;

/** Docker's rounded durations (docker/go-units HumanDuration): `Less than a second`, `5 minutes`, `2 hours`. */
export function humanDuration(nanoseconds: bigint): string {
  const seconds = Number(nanoseconds / SECOND);
  if (seconds < 1) return 'Less than a second';
  if (seconds === 1) return '1 second';
  if (seconds < 60) return `${seconds} seconds`;
  const minutes = Math.floor(seconds / 60);
  if (minutes === 1) return 'About a minute';
  if (minutes < 60) return `${minutes} minutes`;
  const hours = Math.floor(seconds / 3600 + 0.5);
  if (hours === 1) return 'About an hour';
  if (hours < 48) return `${hours} hours`;
  if (hours < 24 * 7 * 2) return `${Math.floor(hours / 24)} days`;
  if (hours < 24 * 30 * 2) return `${Math.floor(hours / 24 / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.floor(hours / 24 / 30)} months`;
  return `${Math.floor(seconds / 3600 / 24 / 365)} years`;
}

/** `Up 5 minutes (healthy)`, `Exited (0) 2 hours ago`, `Created`, … */
export function statusText(state: ContainerState, now: bigint): string {
  const since = (time: bigint | undefined): string => humanDuration(time === undefined || now < time ? 0n : now - time);
  switch (state.status) {
    case 'created':
      return 'Created';
    case 'removing':
      return 'Removal In Progress';
    case 'dead':
      return 'Dead';
    case 'exited':
      return `Exited (${state.exitCode}) ${since(state.finishedAt)} ago`;
    case 'restarting':
      return `Restarting (${state.exitCode}) ${since(state.finishedAt)} ago`;
    case 'paused':
      return `Up ${since(state.startedAt)} (Paused)`;
    case 'running':
      return `Up ${since(state.startedAt)}${healthText(state)}`;
  }
}

function healthText({ health }: ContainerState): string {
  if (!health) return '';
  return health.status === 'starting' ? ' (health: starting)' : ` (${health.status})`;
}
