/**
 * Handles the end of a container's process: tears down, records the exit code, then restarts or removes as configured.
 */

import { type Clock, type KeyedQueue, type Logger, messageOf } from '@netyard/core';
import type { Networks } from '@netyard/sandbox';
import { publishContainer } from '../events/container-events.ts';
import type { EventLog } from '../events/event-log.ts';
import type { ExecRegistry } from '../exec/exec-registry.ts';
import type { Outputs } from '../logs/outputs.ts';
import type { ContainerRecord } from '../model.ts';
import type { ExitStatus, RootFilesystems, Runtime, RuntimeEvent } from '../ports.ts';
import { type ContainerIndex, hasProcess } from '../records/container-index.ts';
import { publishVolume } from '../volumes/volume-events.ts';
import type { VolumeMounts } from '../volumes/volume-mounts.ts';
import type { BackgroundDeletions } from './background-deletions.ts';
import type { HealthMonitors } from './healthcheck.ts';
import { type RemoveDependencies, removeStopped } from './remove.ts';
import type { RestartTimers } from './restart-timers.ts';
import { runContainer, type StartDependencies } from './start.ts';
import type { StdinPipes } from './stdin.ts';
import type { Waiters } from './waiters.ts';

/** What the functions of this file work on. */
export interface ExitDependencies extends RemoveDependencies, StartDependencies {
  readonly runtime: Runtime;
  readonly rootfs: RootFilesystems;
  readonly networks: Networks;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly index: ContainerIndex;
  readonly volumeMounts: VolumeMounts;
  readonly events: EventLog;
  readonly outputs: Outputs;
  readonly stdin: StdinPipes;
  readonly execs: ExecRegistry;
  readonly waiters: Waiters;
  readonly restarts: RestartTimers;
  readonly backgroundDeletions: BackgroundDeletions;
  readonly health: HealthMonitors;
  readonly queue: KeyedQueue;
}

/** Exit code of commands killed by their container's end: 128 + SIGKILL. */
const killedExitCode = 137;

/** Handles an exit event of the runtime; ignores events of earlier runs. */
export async function handleExit(
  context: ExitDependencies,
  event: Extract<RuntimeEvent, { type: 'exit' }>,
): Promise<void> {
  await context.queue.run(event.id, async () => {
    const record = context.index.byId(event.id);
    if (!record || !hasProcess(record) || record.state.pid !== event.pid) return;
    await recordExit(context, record, event.exit);
  });
}

/** Runs within the container's queue. Also used for exits that happened while the daemon was down. */
export async function recordExit(context: ExitDependencies, record: ContainerRecord, exit: ExitStatus): Promise<void> {
  const { index, restarts, waiters, clock } = context;
  context.health.stop(record.id);
  await tearDown(context, record);
  context.execs.endContainer(record.id, { exitCode: killedExitCode, exitedAt: exit.exitedAt });
  const { config } = record;
  const { state } = index.get(record.id);
  const ran = exit.exitedAt - (state.startedAt ?? exit.exitedAt);
  const delay = restarts.plan(record.id, {
    policy: config.restartPolicy,
    exitCode: exit.exitCode,
    stoppedByUser: state.stoppedByUser,
    restartCount: state.restartCount,
    ranNanoseconds: ran,
  });
  const ended = index.setState(record.id, {
    status: delay === undefined ? 'exited' : 'restarting',
    pid: 0,
    exitCode: exit.exitCode,
    finishedAt: exit.exitedAt > 0n ? exit.exitedAt : clock.now(),
    restartCount: state.restartCount + (delay === undefined ? 0 : 1),
  });
  const seconds = ran > 0n ? ran / 1_000_000_000n : 0n;
  publishContainer(context.events, ended, 'die', {
    exitCode: String(exit.exitCode),
    execDuration: String(seconds),
  });
  waiters.exited(record.id, { exitCode: exit.exitCode });
  if (delay !== undefined) return scheduleRestart(context, record.id, delay);
  if (config.autoRemove && !restarts.isRestartingByUser(record.id))
    await removeStopped(context, ended, { volumes: true });
}

export function scheduleRestart(context: ExitDependencies, id: string, delay: number): void {
  context.restarts.schedule(id, delay, () => void context.queue.run(id, () => restartByPolicy(context, id)));
}

async function restartByPolicy(context: ExitDependencies, id: string): Promise<void> {
  const record = context.index.byId(id);
  if (record?.state.status !== 'restarting') return;
  try {
    await runContainer(context, record, { restartCount: record.state.restartCount });
  } catch (error) {
    context.logger.warn('restart by policy failed', { container: id, error: messageOf(error) });
    const failed = context.index.byId(id);
    if (!failed) return;
    const { exitCode } = context.index.setState(id, { status: 'exited' }).state;
    context.waiters.exited(id, { exitCode, error: messageOf(error) });
  }
}

/** Continues after a failure: a mount that cannot be released is no reason to keep an address allocated. */
export async function tearDown(context: ExitDependencies, record: ContainerRecord): Promise<void> {
  const { runtime, rootfs, networks, outputs, stdin, logger, events } = context;
  const attempt = async (what: string, work: () => unknown): Promise<void> => {
    try {
      await work();
    } catch (error) {
      logger.error(`${what} failed`, { container: record.id, error: messageOf(error) });
    }
  };
  stdin.disconnect(record.id);
  const inBackground = context.backgroundDeletions.isAllowed(record.id) && !outputs.capture(record.id)?.isWatched;
  // Starts before the shim exits, which holds the FIFOs open: a restarted daemon finds what was not read.
  const drained = inBackground ? undefined : attempt('reading the output', () => outputs.drain(record));
  const deleting = Promise.resolve(drained).then(() => attempt('deleting the task', () => runtime.delete(record.id)));
  if (inBackground) context.backgroundDeletions.add(deleting);
  await Promise.all([
    // Output is complete when the task is deleted. A log that is about to be deleted need not be.
    inBackground ? undefined : deleting.then(() => attempt('closing the log', () => outputs.finish(record))),
    attempt('unmounting', () => rootfs.unmount(record.id)),
    attempt('releasing the network', () => networks.release(record.id)),
  ]);
  await deleting; // the container's mount namespace is destroyed with the task
  await attempt('releasing the volumes', () => context.volumeMounts.releaseStopped(record));
  for (const mount of record.mounts)
    if (mount.type === 'volume') publishVolume(events, mount.name ?? '', 'unmount', { container: record.id });
}
