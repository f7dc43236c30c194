/**
 * `docker start`: sets up network and root file system in parallel, then creates the task, then starts the process. A
 * failure is rolled back completely; the container keeps the exit code and the message.
 */
import { existsSync, realpathSync } from 'node:fs';
import { type Clock, type KeyedQueue, type Logger, messageOf, NetyardError, UndoStack } from '@netyard/core';
import { mountPropagations } from '@netyard/kernel';
import type { Networks, SandboxState } from '@netyard/sandbox';
import { publishContainer } from '../events/container-events.ts';
import type { EventLog } from '../events/event-log.ts';
import type { Outputs } from '../logs/outputs.ts';
import type { ContainerRecord, ResolvedMount } from '../model.ts';
import { ioPath } from '../paths.ts';
import type { RootFilesystems, Runtime, TaskSpec } from '../ports.ts';
import { hostnameOf } from '../processes/hostname.ts';
import { failureAnswer, failureExitCode, runtimeFailure } from '../processes/start-failure.ts';
import { type ContainerIndex, isAlive, isRestarting, notRunning } from '../records/container-index.ts';
import type { EngineSettings } from '../settings.ts';
import type { Subpaths } from '../volumes/subpaths.ts';
import { publishVolume } from '../volumes/volume-events.ts';
import type { VolumeMounts } from '../volumes/volume-mounts.ts';
import { type HealthMonitors, healthAtStart } from './healthcheck.ts';
import { asksForPropagation, withPropagation } from './mount-propagation.ts';
import { createMountSource, isRecursiveReadOnly } from './mount-source.ts';
import { type RemoveDependencies, removeStopped } from './remove.ts';
import type { RestartTimers } from './restart-timers.ts';
import type { StdinPipes } from './stdin.ts';
import { planTask } from './task-spec.ts';

/** What the functions of this file work on. */
export interface StartDependencies extends RemoveDependencies {
  readonly runtime: Runtime;
  readonly rootfs: RootFilesystems;
  readonly networks: Networks;
  readonly settings: EngineSettings;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly index: ContainerIndex;
  readonly volumeMounts: VolumeMounts;
  readonly subpaths: Subpaths;
  readonly events: EventLog;
  readonly outputs: Outputs;
  readonly stdin: StdinPipes;
  readonly restarts: RestartTimers;
  readonly health: HealthMonitors;
  readonly queue: KeyedQueue;
}

export async function startContainer(context: StartDependencies, ref: string): Promise<void> {
  const { id } = context.index.get(ref);
  await context.queue.run(id, () => startNow(context, id));
}

/** Runs within the container's queue. A start by a user resets the restart count. */
export async function startNow(context: StartDependencies, id: string): Promise<void> {
  const record = context.index.get(id);
  const { status } = record.state;
  if (status === 'paused') throw new NetyardError('conflict', 'cannot start a paused container, try unpause instead');
  if (isAlive(record)) throw new NetyardError('not-modified', 'container is already running');
  context.restarts.reset(id);
  await runContainer(context, record, { restartCount: 0 });
}

/** Runs within the container's queue, for starts by users and by restart policy. */
export async function runContainer(
  context: StartDependencies,
  record: ContainerRecord,
  options: { restartCount: number },
): Promise<void> {
  const { status } = record.state;
  if (status === 'removing' || status === 'dead')
    throw new NetyardError('conflict', 'container is marked for removal and cannot be started');
  const undo = new UndoStack();
  try {
    const { pid, startedAt, releaseVolumes } = await launch(context, record, undo);
    undo.commit();
    const started = context.index.setState(record.id, {
      status: 'running',
      pid,
      exitCode: 0,
      error: '',
      oomKilled: false,
      startedAt,
      restartCount: options.restartCount,
      stoppedByUser: false,
      ...healthAtStart(record),
    });
    await releaseVolumes(); // from here on the record owns the resources
    publishContainer(context.events, started, 'start');
    context.health.start(started);
    setTimeout(() => void detachRoot(context, started), attachedMilliseconds).unref();
  } catch (error) {
    for (const failure of await undo.rollback())
      context.logger.error('undoing a failed start', { container: record.id, error: messageOf(failure) });
    await keepFailure(context, record, error);
    throw failureAnswer(error);
  }
}

/** How long a root stays in the host's mount table. Containers that end sooner leave it with their end. */
const attachedMilliseconds = 1_000;

/** A failure only makes later starts slower. */
export async function detachRoot(
  { rootfs, logger }: Pick<StartDependencies, 'rootfs' | 'logger'>,
  { id, state: { pid } }: ContainerRecord,
): Promise<void> {
  try {
    await rootfs.detach(id, pid);
  } catch (error) {
    logger.warn("removing a root from the host's mount table failed", { container: id, error: messageOf(error) });
  }
}

async function keepFailure(context: StartDependencies, record: ContainerRecord, error: unknown): Promise<void> {
  const failed = context.index.setState(record.id, {
    pid: 0,
    exitCode: failureExitCode(error),
    error: messageOf(error),
  });
  if (failed.config.autoRemove) await removeStopped(context, failed, { volumes: true });
}

async function launch(
  context: StartDependencies,
  record: ContainerRecord,
  undo: UndoStack,
): Promise<{ pid: number; startedAt: bigint; releaseVolumes: () => Promise<void> }> {
  const { runtime, networks } = context;
  const namespaces = sharedNamespaces(context, record);
  networks.checkLinks(record.id);
  prepareSources(record);
  const mounts = propagated(record.mounts);
  const releaseVolumes = await context.volumeMounts.acquire(record);
  undo.push(releaseVolumes);
  const parts = context.subpaths.mount({ mounts });
  undo.push(async () => parts.release());
  undo.push(() => runtime.delete(record.id).then(() => undefined)); // also what was only prepared
  undo.push(() => context.outputs.finish(record));
  runtime.prepare(record.id, await context.outputs.prepare(record));
  const { network, rootPath, stdio } = await prepare(context, record, undo);
  const spec = planTask(
    { ...record, mounts: parts.mounts },
    {
      rootPath,
      network,
      stdio,
      ...names(context, record),
      linkEnvironment: networks.linkEnvironment(record.id),
      ...namespaces,
      isRecursive: isRecursiveReadOnly,
      settings: context.settings,
    },
  );
  const { pid } = await runtime.create(spec).catch(async (error: unknown) => {
    await checkDonors(context, record);
    throw runtimeFailure(error, 'container');
  });
  parts.release(); // the container has mounts of its own
  undo.push(() => runtime.delete(record.id).then(() => undefined));
  context.stdin.connect(record);
  const startedAt = context.clock.now();
  await runtime.start(record.id).catch((error: unknown) => {
    throw runtimeFailure(error, 'container');
  });
  for (const mount of record.mounts) if (mount.type === 'volume') publishMount(context, record, mount);
  return { pid, startedAt, releaseVolumes };
}

/** Network, root file system and output files: independent of each other, and each rolled back on its own. */
async function prepare(
  context: StartDependencies,
  record: ContainerRecord,
  undo: UndoStack,
): Promise<{ network: SandboxState; rootPath: string; stdio: TaskSpec['stdio'] }> {
  const { networks, rootfs, outputs, stdin, settings } = context;
  undo.push(() => stdin.disconnect(record.id));
  // A container with --rm is removed after a crash of the host as well.
  const mounting = rootfs.mount(record.id, record.layers, record.config.autoRemove).then((path) => {
    undo.push(() => rootfs.unmount(record.id));
    return path;
  });
  const networking = networks.prepare(record.id).then((state) => {
    undo.push(() => networks.release(record.id));
    return state;
  });
  const both = Promise.allSettled([mounting, networking]);
  const stdio = {
    stdin: '',
    stdout: ioPath(settings, record.id, 'stdout'),
    stderr: record.config.tty ? '' : ioPath(settings, record.id, 'stderr'),
  };
  try {
    await outputs.begin(record);
    stdio.stdin = stdin.prepare(record);
  } finally {
    await both; // wait for both before rolling back
  }
  return { network: await networking, rootPath: await mounting, stdio };
}

/**
 * `-v /missing:/x` creates the directory, as in Docker; the source of a --mount was checked at create and may be gone
 * now.
 */
function prepareSources(record: ContainerRecord): void {
  for (const mount of record.mounts) {
    if (mount.type === 'tmpfs' || existsSync(mount.source)) continue;
    const asked = record.config.mounts.find((request) => request.type === 'bind' && request.target === mount.target);
    if (mount.type === 'bind' && asked && !asked.createSource) {
      const text = `bind source path does not exist: ${mount.source}`;
      throw new NetyardError('invalid', `invalid mount config for type "bind": ${text}`);
    }
    createMountSource(mount.source);
  }
}

/** The mounts of a record, with the propagation that those of the host allow. */
function propagated(mounts: readonly ResolvedMount[]): ResolvedMount[] {
  if (!mounts.some(asksForPropagation)) return [...mounts];
  const present = mountPropagations();
  return mounts.map((mount) =>
    asksForPropagation(mount) ? withPropagation(mount, realpathSync(mount.source), present) : mount,
  );
}

/** A container that joins another container's network has that container's hostname. */
function names(context: StartDependencies, record: ContainerRecord): { hostname: string; domainname: string } {
  const { networkMode } = record.config;
  const shown = networkMode.kind === 'container' ? (context.index.find(networkMode.ref) ?? record) : record;
  return { hostname: hostnameOf(shown), domainname: shown.config.domainname };
}

function sharedNamespaces(
  context: StartDependencies,
  record: ContainerRecord,
): Pick<TaskSpec, 'pidNamespace' | 'ipcNamespace'> {
  const { pidMode, ipcMode } = record.config;
  return {
    pidNamespace: sharedNamespace(context, record, pidMode, 'pid'),
    ipcNamespace: ipcMode === 'none' ? 'none' : sharedNamespace(context, record, ipcMode, 'ipc'),
  };
}

function sharedNamespace(
  context: StartDependencies,
  record: ContainerRecord,
  mode: string,
  kind: 'pid' | 'ipc',
): 'private' | 'host' | { path: string } {
  if (mode === 'host') return 'host';
  if (!mode.startsWith('container:')) return 'private';
  const target = context.index.get(mode.slice('container:'.length));
  if (target.id === record.id) throw new NetyardError('conflict', `cannot join own ${kind} namespace`);
  if (target.state.status === 'restarting') throw isRestarting(target);
  if (!isAlive(target)) throw notRunning(target);
  if (kind === 'ipc' && ['private', 'none'].includes(target.config.ipcMode)) throw isPrivate(target);
  return { path: `/proc/${target.state.pid}/ns/${kind}` };
}

/** After a failed start: throws `conflict` when a container whose namespace is to be joined has ended meanwhile. */
async function checkDonors(context: StartDependencies, { config }: ContainerRecord): Promise<void> {
  for (const mode of [config.pidMode, config.ipcMode].filter((text) => text.startsWith('container:'))) {
    const donor = context.index.get(mode.slice('container:'.length));
    const task = await context.runtime.get(donor.id);
    if (task?.status !== 'running' && task?.status !== 'paused') throw notRunning(donor);
  }
}

const isPrivate = ({ id }: ContainerRecord): NetyardError =>
  new NetyardError(
    'conflict',
    `can't join IPC of container ${id}: non-shareable IPC (hint: use IpcMode:shareable for the donor container)`,
  );

function publishMount(
  context: StartDependencies,
  record: ContainerRecord,
  mount: ContainerRecord['mounts'][number],
): void {
  publishVolume(context.events, mount.name ?? '', 'mount', {
    container: record.id,
    destination: mount.target,
    propagation: mount.propagation,
    'read/write': String(!mount.readOnly),
  });
}
