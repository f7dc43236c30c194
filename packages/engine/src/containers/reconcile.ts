/**
 * Reconciles the container records with the runtime's tasks when the daemon starts: adopts running containers, records
 * the exits that were missed with their codes, removes containers whose creation or removal was interrupted, and then
 * applies restart policies.
 */
import { existsSync, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { type Clock, isFullId, type KeyedQueue, type Logger, messageOf } from '@netyard/core';
import type { Networks } from '@netyard/sandbox';
import type { ExecRegistry } from '../exec/exec-registry.ts';
import type { Outputs } from '../logs/outputs.ts';
import type { ContainerRecord } from '../model.ts';
import { containerDirectory, containersDirectory } from '../paths.ts';
import type { ExitStatus, RootFilesystems, Runtime, TaskInfo } from '../ports.ts';
import { type ContainerIndex, hasProcess, isAlive, isDoomed } from '../records/container-index.ts';
import type { EngineSettings } from '../settings.ts';
import type { Subpaths } from '../volumes/subpaths.ts';
import type { VolumeIndex } from '../volumes/volume-index.ts';
import type { VolumeMounts } from '../volumes/volume-mounts.ts';
import { type ExitDependencies, recordExit, tearDown } from './exit.ts';
import type { HealthMonitors } from './healthcheck.ts';
import { type RemoveDependencies, removeAnonymousVolumes, removeStopped, removeTraces } from './remove.ts';
import { restartsAtBoot } from './restart-policy.ts';
import { detachRoot, runContainer, type StartDependencies } from './start.ts';
import type { StdinPipes } from './stdin.ts';

/** What the functions of this file work on. */
export interface ReconcileDependencies extends ExitDependencies, RemoveDependencies, StartDependencies {
  readonly runtime: Runtime;
  readonly rootfs: RootFilesystems;
  readonly networks: Networks;
  readonly settings: EngineSettings;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly index: ContainerIndex;
  readonly volumes: VolumeIndex;
  readonly volumeMounts: VolumeMounts;
  readonly subpaths: Subpaths;
  readonly outputs: Outputs;
  readonly stdin: StdinPipes;
  readonly execs: ExecRegistry;
  readonly health: HealthMonitors;
  readonly queue: KeyedQueue;
}

/** At the daemon's start. Network repair (`networks.start`) runs in here, once the running containers are known. */
export async function reconcile(context: ReconcileDependencies): Promise<void> {
  const tasks = new Map((await context.runtime.list()).map((task) => [task.id, task]));
  dropUnprovenRecords(context);
  const running = context.index.all().filter((record) => isRunning(tasks.get(record.id)) && !isDoomed(record));
  const ids = new Set(running.map(({ id }) => id));
  const unknown = await unknownContainers(context, tasks);
  await context.networks.start([...ids], { keepUnknown: unknown.some((id) => isRunning(tasks.get(id))) });
  const stopped = context.index.all().filter(({ id }) => !ids.has(id));
  await Promise.all([
    ...running.map((record) => attempt(context, record.id, () => adopt(context, record, tasks.get(record.id)))),
    ...stopped.map((record) => attempt(context, record.id, () => settle(context, record, tasks.get(record.id)))),
  ]);
  context.subpaths.removeAll();
  await context.volumeMounts.releaseUnused(context.volumes.all());
  await removeRemains(context, tasks);
  reportUnknown(context, unknown);
  await finishVolumeRemovals(context);
  await restartAtBoot(context);
}

/**
 * Records of unfinished creations and removals that no mark on the disk confirms: their database may be an older copy,
 * and the container complete by now. Its data is then that of a container without a record, which is kept and reported.
 */
function dropUnprovenRecords({ index, logger }: ReconcileDependencies): void {
  for (const { id, name } of index.all().filter((record) => isDoomed(record) && !index.isUnfinished(record.id))) {
    logger.warn('dropping the record of an unfinished container that has no mark; its data is kept', {
      container: id,
      name,
    });
    index.delete(id);
  }
}

/** After the runtime's event stream was interrupted: events of that time are lost. */
export async function resync(context: ReconcileDependencies): Promise<void> {
  const tasks = new Map((await context.runtime.list()).map((task) => [task.id, task]));
  for (const { id } of context.index.all()) {
    await attempt(context, id, () => recordExecExits(context, id));
    await attempt(context, id, () =>
      context.queue.run(id, async () => {
        const record = context.index.byId(id);
        const task = tasks.get(id);
        if (record && hasProcess(record) && !(isRunning(task) && task?.pid === record.state.pid)) {
          const present = await context.runtime.get(id); // the list may be older than the record
          if (!isRunning(present)) await recordExit(context, record, exitOf(context, present));
        }
      }),
    );
  }
}

/** Records missed ends of exec processes: those that can be deleted, as a running one cannot. */
async function recordExecExits(context: ReconcileDependencies, containerId: string): Promise<void> {
  for (const { id } of context.execs.running(containerId)) {
    const exit = await context.runtime.deleteExec(containerId, id).catch(() => undefined);
    if (exit) context.execs.ended(id, exit);
  }
}

const isRunning = (task: TaskInfo | undefined): boolean => task?.status === 'running' || task?.status === 'paused';

/** The container runs. Its start may not have been recorded any more: a task that runs counts as started. */
async function adopt(
  context: ReconcileDependencies,
  record: ContainerRecord,
  task: TaskInfo | undefined,
): Promise<void> {
  const { index, outputs, stdin, clock } = context;
  const startedAt = hasProcess(record) ? record.state.startedAt : clock.now();
  const adopted = index.setState(record.id, {
    status: task?.status === 'paused' ? 'paused' : 'running',
    pid: task?.pid ?? 0,
    exitCode: 0,
    error: '',
    startedAt,
  });
  await detachRoot(context, adopted); // the daemon before ended too soon, or was of an older version
  outputs.adopt(adopted);
  if (adopted.state.pausedByCommit) await unpauseUncommitted(context, adopted);
  outputs.removeExecFiles(record.id);
  context.health.start(adopted);
  stdin.connect(adopted);
}

/** A `commit` that paused it ended with the daemon. */
async function unpauseUncommitted(context: ReconcileDependencies, { id, state }: ContainerRecord): Promise<void> {
  if (state.status === 'paused') await context.runtime.resume(id);
  context.index.setState(id, { status: 'running', pausedByCommit: false });
}

/** The container does not run. */
async function settle(
  context: ReconcileDependencies,
  record: ContainerRecord,
  task: TaskInfo | undefined,
): Promise<void> {
  if (isDoomed(record)) return finishRemoval(context, record);
  if (hasProcess(record)) {
    context.outputs.adopt(record);
    return recordExit(context, record, exitOf(context, task));
  }
  if (record.state.status === 'restarting') context.index.setState(record.id, { status: 'exited' });
  await tearDown(context, record); // an interrupted start; a no-op if there was none
  if (record.config.autoRemove) await removeStopped(context, record, { volumes: true }); // no other code removes it
}

function exitOf(context: ReconcileDependencies, task: TaskInfo | undefined): ExitStatus {
  return task?.exit ?? { exitCode: 255, exitedAt: context.clock.now() }; // Docker's code for an unknown exit status
}

/** An interrupted creation, or a removal, which is finished as it was requested. */
async function finishRemoval(context: ReconcileDependencies, record: ContainerRecord): Promise<void> {
  await context.runtime.delete(record.id);
  await removeTraces(context, record);
  context.index.delete(record.id);
  if (record.state.removesVolumes) await removeAnonymousVolumes(context, record);
}

/**
 * Ids of tasks and data directories that no record names. Interrupted creations and removals have a record; these are
 * containers whose record was lost, and their data is never removed without a request.
 */
export async function unknownContainers(
  context: ReconcileDependencies,
  tasks: ReadonlyMap<string, TaskInfo>,
): Promise<string[]> {
  const folder = containersDirectory(context.settings);
  const folders = existsSync(folder) ? readdirSync(folder) : [];
  return unrecorded(context, [...tasks.keys(), ...(await context.rootfs.list()), ...folders]);
}

/** Ids without a record that have only what a start creates in memory: pipes and prepared shims. */
export async function remains(context: ReconcileDependencies, tasks: ReadonlyMap<string, TaskInfo>): Promise<string[]> {
  const unknown = new Set(await unknownContainers(context, tasks));
  const left = [...context.outputs.leftovers(), ...context.runtime.prepared()];
  return unrecorded(context, left).filter((id) => !unknown.has(id));
}

function unrecorded({ index }: ReconcileDependencies, ids: readonly string[]): string[] {
  return [...new Set(ids)].filter((id) => isFullId(id) && !index.hasRecord(id));
}

async function removeRemains(context: ReconcileDependencies, tasks: ReadonlyMap<string, TaskInfo>): Promise<void> {
  for (const id of await remains(context, tasks)) {
    context.logger.warn('removing what an interrupted start left', { container: id });
    await attempt(context, id, () => removeUnknown(context, id));
  }
}

async function finishVolumeRemovals({ volumes, logger }: ReconcileDependencies): Promise<void> {
  try {
    await volumes.finishRemovals();
  } catch (error) {
    logger.warn('deleting the directory of a removed volume failed', { error: messageOf(error) });
  }
}

function reportUnknown({ logger }: ReconcileDependencies, ids: readonly string[]): void {
  for (const id of ids)
    logger.warn('keeping a container without a record; see `netyard system recover` and `netyard system cleanup`', {
      container: id,
    });
}

/** Removes everything of an id without a record, including its data. */
export async function removeUnknown(context: ReconcileDependencies, id: string): Promise<void> {
  const { runtime, rootfs, networks, outputs, settings } = context;
  await runtime.delete(id);
  await networks.unregister(id);
  await rootfs.remove(id);
  outputs.removeLeftover(id);
  await rm(containerDirectory(settings, id), { recursive: true, force: true });
}

/** Starts targets of links and owners of shared networks before the containers that need them. */
async function restartAtBoot(context: ReconcileDependencies): Promise<void> {
  const toRestart = context.index.all().filter((record) => {
    const { exitCode, stoppedByUser, restartCount, startedAt } = record.state;
    if (isAlive(record) || isDoomed(record) || startedAt === undefined) return false;
    return restartsAtBoot({ policy: record.config.restartPolicy, exitCode, stoppedByUser, restartCount });
  });
  const done = new Set<string>();
  const start = async (record: ContainerRecord): Promise<void> => {
    if (done.has(record.id)) return;
    done.add(record.id);
    const needed = [
      ...context.networks.links(record.id).map((link) => link.childId),
      ...(record.config.networkMode.kind === 'container' ? [record.config.networkMode.ref] : []),
    ];
    for (const other of toRestart) if (needed.includes(other.id)) await start(other);
    await attempt(context, record.id, () =>
      context.queue.run(record.id, async () => {
        const present = context.index.byId(record.id);
        if (present && !isAlive(present)) await runContainer(context, present, { restartCount: 0 });
      }),
    );
  };
  for (const record of toRestart) await start(record);
}

/** An error of one container does not affect the others. */
async function attempt(context: ReconcileDependencies, id: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    context.logger.error('reconciling a container failed', { container: id, error: messageOf(error) });
  }
}
