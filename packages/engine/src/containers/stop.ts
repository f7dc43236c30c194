/** `docker stop`: sends the stop signal, then SIGKILL after the timeout. */

import { failureCodeOf, type KeyedQueue, messageOf, NetyardError } from '@netyard/core';
import type { KernelOperation } from '@netyard/kernel';
import type { Networks } from '@netyard/sandbox';
import { publishContainer } from '../events/container-events.ts';
import type { EventLog } from '../events/event-log.ts';
import type { ContainerRecord } from '../model.ts';
import type { Runtime } from '../ports.ts';
import { parseSignal, SIGKILL } from '../processes/signals.ts';
import { type ContainerIndex, hasProcess, isAlive, passOverEnded } from '../records/container-index.ts';
import type { EngineSettings } from '../settings.ts';
import type { RestartTimers } from './restart-timers.ts';
import { type Waiters, withTimeLimit } from './waiters.ts';

/** What the functions of this file work on. */
export interface StopDependencies {
  readonly runtime: Runtime;
  readonly networks: Networks;
  readonly settings: EngineSettings;
  readonly index: ContainerIndex;
  readonly events: EventLog;
  readonly waiters: Waiters;
  readonly restarts: RestartTimers;
  readonly queue: KeyedQueue;
}

export interface StopOptions {
  /** Negative: no limit. */
  timeoutSeconds?: number;
  signal?: string;
}

/** How long a killed process may take to exit. */
const killMilliseconds = 10_000;

export async function stopContainer(context: StopDependencies, ref: string, options: StopOptions): Promise<void> {
  const record = await settledRecord(context, ref);
  if (!isAlive(record)) throw new NetyardError('not-modified', 'container is already stopped');
  if (options.signal) parseSignal(options.signal);
  try {
    await stopAndWait(context, record.id, options);
  } catch (error) {
    throw new NetyardError(failureCodeOf(error), `cannot stop container: ${ref}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** The record after a start that is in progress: a container that is starting can be stopped and killed, as in Docker. */
export async function settledRecord(
  { index, queue }: Pick<StopDependencies, 'index' | 'queue'>,
  ref: string,
): Promise<ContainerRecord> {
  const record = index.get(ref);
  return isAlive(record) || record.state.status === 'removing'
    ? record
    : queue.run(record.id, async () => index.get(record.id));
}

/** What the stop would change in the network: nothing for a container that is already stopped. */
export async function planStop(
  context: StopDependencies,
  ref: string,
  options: StopOptions,
): Promise<KernelOperation[]> {
  const record = context.index.get(ref);
  if (!isAlive(record)) return [];
  if (options.signal) parseSignal(options.signal);
  return context.networks.planRelease(record.id);
}

/** Resolves when the container has ended (with --rm, its removal may still be in progress). */
export async function stopAndWait(
  context: StopDependencies,
  id: string,
  options: StopOptions & { byUser?: boolean },
): Promise<void> {
  const { config } = context.index.get(id);
  const signal = parseSignal(options.signal || config.stopSignal || 'SIGTERM');
  const seconds = options.timeoutSeconds ?? config.stopTimeoutSeconds ?? context.settings.stopTimeoutSeconds;
  const byUser = options.byUser ?? true;
  const ended = await sendAndWait(context, id, signal, seconds * 1000, byUser);
  if (!ended) await killAndWait(context, id, byUser);
  const stopped = context.index.byId(id);
  if (stopped) publishContainer(context.events, stopped, 'stop');
}

/** Sends SIGKILL; no error when the container has already ended. */
export async function killAndWait(context: StopDependencies, id: string, byUser = true): Promise<void> {
  if (await sendAndWait(context, id, SIGKILL, killMilliseconds, byUser)) return;
  throw new NetyardError('failed', 'tried to kill container, but did not receive an exit event');
}

/** True when it has ended within the timeout. */
async function sendAndWait(
  context: StopDependencies,
  id: string,
  signal: number,
  milliseconds: number,
  byUser: boolean,
): Promise<boolean> {
  const exited = new AbortController();
  try {
    // Within the queue, so that the exit waited for is that of the run which gets the signal, not of one before a
    // restart.
    const sent = await context.queue.run(id, async () => {
      const exit = context.waiters.exit(id, exited.signal);
      exit.catch(() => undefined); // rejected only by the abort below
      return (await signalNow(context, id, signal, byUser)) ? { exit } : undefined;
    });
    if (!sent) return true;
    return (await withTimeLimit(sent.exit, milliseconds)) !== undefined;
  } finally {
    exited.abort(new Error('no longer waiting'));
  }
}

/** Runs within the container's queue. False when there is no process to signal (any more). */
export async function signalNow(
  context: StopDependencies,
  id: string,
  signal: number,
  byUser: boolean,
): Promise<boolean> {
  const record = context.index.byId(id);
  if (!record || !isAlive(record)) return false;
  if (byUser && !record.state.stoppedByUser) context.index.setState(id, { stoppedByUser: true });
  if (!hasProcess(record)) {
    endRestarting(context, record);
    return false;
  }
  const { status, pid } = record.state;
  await context.runtime.kill(id, signal, status === 'running' ? { pid } : {}).catch(passOverEnded);
  publishContainer(context.events, record, 'kill', { signal: String(signal) });
  // A frozen process gets its signal when it is thawed. Docker thaws for signals that end it.
  if (record.state.status === 'paused') {
    await context.runtime.resume(id).catch(passOverEnded);
    context.index.setState(id, { status: 'running' });
  }
  return true;
}

/** The container was waiting for a restart, which is cancelled. */
function endRestarting(context: StopDependencies, record: ContainerRecord): void {
  context.restarts.cancel(record.id);
  const { exitCode } = context.index.setState(record.id, { status: 'exited' }).state;
  context.waiters.exited(record.id, { exitCode });
}
