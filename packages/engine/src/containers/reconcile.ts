/**
 * After a start of the daemon: what runs is compared with what was written down. Running containers are gone on with,
 * ends that happened meanwhile are noted with their codes, half-made and half-removed ones are taken away, and then
 * restart policies have their say.
 */
import { existsSync, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { Clock, KeyedQueue, Logger } from '@netyard/core';
import { isFullId, messageOf } from '@netyard/core';
import type { Networks } from '@netyard/network';
import type { ExecRegistry } from '../exec/exec-registry.ts';
import type { Outputs } from '../logs/outputs.ts';
import type { ContainerRecord } from '../model.ts';
import { containerDirectory, containersDirectory } from '../paths.ts';
import type { ExitStatus, RootFilesystems, Runtime, TaskInfo } from '../ports.ts';
import type { ContainerIndex } from '../records/container-index.ts';
import { hasProcess, isAlive } from '../records/container-index.ts';
import type { EngineSettings } from '../settings.ts';
import type { VolumeIndex } from '../volumes/volume-index.ts';
import type { VolumeMounts } from '../volumes/volume-mounts.ts';
import type { ExitDependencies } from './exit.ts';
import { recordExit, tearDown } from './exit.ts';
import type { HealthMonitors } from './healthcheck.ts';
import type { RemoveDependencies } from './remove.ts';
import { removeAnonymousVolumes, removeStopped, removeTraces } from './remove.ts';
import { restartsAtBoot } from './restart-policy.ts';
import type { StartDependencies } from './start.ts';
import { runContainer } from './start.ts';
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
  readonly outputs: Outputs;
  readonly stdin: StdinPipes;
  readonly execs: ExecRegistry;
  readonly health: HealthMonitors;
  readonly queue: KeyedQueue;
}

/** At the daemon's start. Network repair (`networks.start`) is part of it, once it is known what runs. */
export async function reconcile(context: ReconcileDependencies): Promise<void> {
  const tasks = new Map((await context.runtime.list()).map((task) => [task.id, task]));
  const running = context.index.all().filter((record) => isRunning(tasks.get(record.id)) && !isDoomed(record));
  const ids = new Set(running.map(({ id }) => id));
  const unknown = await unknownContainers(context, tasks);
  await context.networks.start([...ids], { keepUnknown: unknown.some((id) => isRunning(tasks.get(id))) });
  const stopped = context.index.all().filter(({ id }) => !ids.has(id));
  await Promise.all([
    ...running.map((record) => attempt(context, record.id, () => adopt(context, record, tasks.get(record.id)))),
    ...stopped.map((record) => attempt(context, record.id, () => settle(context, record, tasks.get(record.id)))),
  ]);
  await context.volumeMounts.releaseUnused(context.volumes.all());
  await removeRemains(context, tasks);
  reportUnknown(context, unknown);
  await finishVolumeRemovals(context);
  await restartAtBoot(context);
}

/** When the stream of the runtime's events was broken: nothing that happened meanwhile was told. */
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

/** Commands that ended unheard: those that can be deleted, for one that runs cannot. */
async function recordExecExits(context: ReconcileDependencies, containerId: string): Promise<void> {
  for (const { id } of context.execs.running(containerId)) {
    const exit = await context.runtime.deleteExec(containerId, id).catch(() => undefined);
    if (exit) context.execs.ended(id, exit);
  }
}

const isRunning = (task: TaskInfo | undefined): boolean => task?.status === 'running' || task?.status === 'paused';
const isDoomed = (record: ContainerRecord): boolean =>
  record.state.status === 'removing' || record.state.status === 'dead';

/** It runs. Also one whose start was not written down any more: it is there, so it is started. */
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
  outputs.adopt(adopted);
  outputs.removeExecFiles(record.id);
  context.health.start(adopted);
  stdin.connect(adopted);
}

/** It does not run. */
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
  await tearDown(context, record); // a start that was cut short; nothing when there was none
  if (record.config.autoRemove) await removeStopped(context, record, { volumes: true }); // nobody else would
}

function exitOf(context: ReconcileDependencies, task: TaskInfo | undefined): ExitStatus {
  return task?.exit ?? { exitCode: 255, exitedAt: context.clock.now() }; // Docker's code for "we do not know"
}

/** Volumes of one that was being made go as well: its client never heard of them. */
async function finishRemoval(context: ReconcileDependencies, record: ContainerRecord): Promise<void> {
  await context.runtime.delete(record.id);
  await removeTraces(context, record);
  context.index.delete(record.id);
  const wasBeingMade = record.state.startedAt === undefined;
  if (wasBeingMade || record.config.autoRemove) await removeAnonymousVolumes(context, record);
}

/**
 * Ids of tasks and of folders with data that no record names. A creation and a removal that were cut short have a
 * record; so these are containers whose record was lost, and nothing of them is ever removed unasked.
 */
export async function unknownContainers(
  context: ReconcileDependencies,
  tasks: ReadonlyMap<string, TaskInfo>,
): Promise<string[]> {
  const folder = containersDirectory(context.settings);
  const folders = existsSync(folder) ? readdirSync(folder) : [];
  return unrecorded(context, [...tasks.keys(), ...(await context.rootfs.list()), ...folders]);
}

/** Ids without a record of which nothing is there but what a start makes in memory: pipes and prepared shims. */
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
    logger.warn('deleting the folder of a removed volume failed', { error: messageOf(error) });
  }
}

function reportUnknown({ logger }: ReconcileDependencies, ids: readonly string[]): void {
  for (const id of ids)
    logger.warn('keeping a container without a record; see `netyard system recover` and `netyard system cleanup`', {
      container: id,
    });
}

/** Everything of an id without a record, its data as well. */
export async function removeUnknown(context: ReconcileDependencies, id: string): Promise<void> {
  const { runtime, rootfs, networks, outputs, settings } = context;
  await runtime.delete(id);
  await networks.unregister(id);
  await rootfs.remove(id);
  outputs.removeLeftover(id);
  await rm(containerDirectory(settings, id), { recursive: true, force: true });
}

/** Targets of links, and of shared networks, before those that need them. */
async function restartAtBoot(context: ReconcileDependencies): Promise<void> {
  const wanted = context.index.all().filter((record) => {
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
    for (const other of wanted) if (needed.includes(other.id)) await start(other);
    await attempt(context, record.id, () =>
      context.queue.run(record.id, async () => {
        const present = context.index.byId(record.id);
        if (present && !isAlive(present)) await runContainer(context, present, { restartCount: 0 });
      }),
    );
  };
  for (const record of wanted) await start(record);
}

/** One container's trouble is not the others'. */
async function attempt(context: ReconcileDependencies, id: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    context.logger.error('reconciling a container failed', { container: id, error: messageOf(error) });
  }
}
