/** Assembles the engine: indexes from the stores, adapters, and the operations behind the `Engine` contract. */

import { setTimeout as pause } from 'node:timers/promises';
import { type Clock, KeyedQueue, type Logger, messageOf } from '@netyard/core';
import type { LinkStatistics } from '@netyard/kernel';
import type { ContainerDirectory, Networks } from '@netyard/sandbox';
import { buildImage, removeBuildLeftovers } from './build/build-image.ts';
import { BackgroundDeletions } from './containers/background-deletions.ts';
import { handleExit } from './containers/exit.ts';
import { HealthMonitors, recordProbe, runProbe } from './containers/healthcheck.ts';
import { hasNetAdmin, readRepair } from './containers/network-repair.ts';
import { reconcile, resync } from './containers/reconcile.ts';
import { collectGarbage } from './containers/remove.ts';
import { RestartTimers } from './containers/restart-timers.ts';
import { createContainerService } from './containers/service.ts';
import { StdinPipes } from './containers/stdin.ts';
import { settledRecord, stopAndWait } from './containers/stop.ts';
import { Waiters } from './containers/waiters.ts';
import type { Engine } from './contract.ts';
import type { EngineContext } from './engine-context.ts';
import { publishContainer } from './events/container-events.ts';
import { EventLog } from './events/event-log.ts';
import { publishNetwork } from './events/network-events.ts';
import { ExecRegistry } from './exec/exec-registry.ts';
import { createExecService } from './exec/service.ts';
import type { Images } from './images/image-service.ts';
import { LogReader } from './logs/log-reader.ts';
import { Outputs } from './logs/outputs.ts';
import { RequestActivity } from './logs/request-activity.ts';
import type { ContainerRecord, VolumeRecord } from './model.ts';
import { createNetworkService } from './networks/service.ts';
import { subpathsDirectory } from './paths.ts';
import type { ContainerStore, ImageBuilder, RootFilesystems, Runtime, RuntimeEvent, VolumeStore } from './ports.ts';
import { hostnameOf } from './processes/hostname.ts';
import { ContainerIndex, hasProcess, isAlive } from './records/container-index.ts';
import type { EngineSettings, PipeFiles } from './settings.ts';
import { createSystemService } from './system/service.ts';
import { createVolumeService } from './volumes/service.ts';
import { Subpaths } from './volumes/subpaths.ts';
import { VolumeIndex } from './volumes/volume-index.ts';
import { type FileSystemMounts, VolumeMounts } from './volumes/volume-mounts.ts';

/** The container queries and callbacks of the image service. */
export interface ImageCallbacks {
  containers(): readonly ContainerRecord[];
  events: EventLog;
}

export interface EngineOptions {
  runtime: Runtime;
  rootfs: RootFilesystems;
  /** Containers and networks depend on each other: created with the engine's queries about containers. */
  networks: (containers: ContainerDirectory) => Networks;
  images: (neighbours: ImageCallbacks) => Images;
  store: ContainerStore & VolumeStore & { writeProblem(): string | undefined };
  settings: EngineSettings;
  builder: ImageBuilder;
  files: PipeFiles;
  mounts: FileSystemMounts;
  /** `Kernel.linkStatistics`. */
  linkStatistics: (link: string, ns?: string) => Promise<LinkStatistics>;
  /** For tests: replaces the thread that collects output. */
  captureEntry?: URL;
  logger: Logger;
  clock: Clock;
}

/** Reads the stores; changes nothing before `start`, which also starts the networks (`networks.start`). */
export function openEngine(options: EngineOptions): Engine & { hostNetworks: Networks } {
  const context = openContext(options);
  const { images } = context;
  const building = { builder: options.builder, images, networks: context.networks };
  const listening: (() => void)[] = [];
  return {
    containers: createContainerService(context),
    exec: createExecService(context),
    images,
    volumes: createVolumeService(context),
    networks: createNetworkService(context),
    events: context.events,
    build: (archive, build, signal) => buildImage(building, archive, build, signal),
    noteRequest: () => context.requests.note(),
    counters: () => ({ ...context.events.counters, ...context.health.counters }),
    system: createSystemService(context),
    hostNetworks: context.networks,
    async start() {
      listening.push(
        context.networks.events((event) => publishNetwork(context.events, event)),
        context.runtime.events((event) => dispatch(context, event)),
      );
      await reconcile(context);
      await removeBuildLeftovers(building).catch((error: unknown) =>
        context.logger.error('removing what builds left failed', { error: messageOf(error) }),
      );
      collectGarbage(context); // slow, and no caller needs the result
    },
    async stop({ stopContainers }) {
      context.restarts.close();
      if (stopContainers) await stopAll(context);
      await context.backgroundDeletions.idle();
      for (const stop of listening.splice(0)) stop();
      context.health.stopAll();
      await Promise.all([context.outputs.close(), context.logs.close()]);
      context.stdin.disconnectAll();
      context.execs.close();
    },
  };
}

function openContext(options: EngineOptions): EngineContext {
  const { runtime, rootfs, settings, files, linkStatistics, clock, logger, store } = options;
  const linkTarget = (name: string): string | undefined => networks.findLink(name)?.childId;
  const index: ContainerIndex = new ContainerIndex(store, linkTarget);
  const networks = options.networks(containerDirectory(index));
  const events = new EventLog(clock);
  const containers = (): ContainerRecord[] => index.all();
  const find = (name: string): VolumeRecord | undefined => volumes.find(name);
  const volumeMounts = new VolumeMounts({ mounts: options.mounts, find, containers, logger });
  const volumes: VolumeIndex = new VolumeIndex({ store, settings, clock, containers, mounts: volumeMounts });
  const requests = new RequestActivity();
  const context: EngineContext = {
    runtime,
    rootfs,
    networks,
    images: options.images({ containers, events }),
    files,
    linkStatistics,
    settings,
    clock,
    logger,
    index,
    volumes,
    volumeMounts,
    subpaths: new Subpaths(subpathsDirectory(settings), logger),
    events,
    requests,
    outputs: new Outputs({ settings, files, logger, requests, entry: options.captureEntry }),
    logs: new LogReader(logger, requests),
    stdin: new StdinPipes({ settings, files, runtime }),
    execs: new ExecRegistry(),
    waiters: new Waiters(),
    restarts: new RestartTimers(),
    backgroundDeletions: new BackgroundDeletions(),
    health: new HealthMonitors(
      clock,
      (record, command) => runProbe(context, record, command),
      (id, result) => recordProbe(context, id, result),
    ),
    queue: new KeyedQueue(),
    stateProblems() {
      const problem = store.writeProblem();
      return problem === undefined ? [] : [`WARNING: the state cannot be written and is kept in memory: ${problem}`];
    },
  };
  return context;
}

/** What the network package may query about containers. */
function containerDirectory(index: ContainerIndex): ContainerDirectory {
  return {
    find: (ref) => index.find(ref)?.id,
    info(id) {
      const record = index.byId(id);
      if (!record) return undefined;
      const { name, state, config } = record;
      const repair = { netAdmin: hasNetAdmin(config), repair: readRepair(config.labels) };
      const project = config.labels['com.docker.compose.project'];
      return { name, state: state.status, env: config.env, hostname: hostnameOf(record), project, ...repair };
    },
  };
}

function dispatch(context: EngineContext, event: RuntimeEvent): void {
  const failed = (error: unknown): void =>
    context.logger.error('handling a runtime event failed', { event: event.type, error: messageOf(error) });
  if (event.type === 'resync') resync(context).catch(failed);
  else if (event.type === 'oom') context.queue.run(event.id, async () => noteOom(context, event.id)).catch(failed);
  else if (event.execId !== undefined) context.execs.ended(event.execId, event.exit);
  else handleExit(context, event).catch(failed);
}

/** Runs within the container's queue: its start may not be recorded yet. */
function noteOom(context: EngineContext, id: string): void {
  const record = context.index.byId(id);
  if (!record || !hasProcess(record)) return;
  publishContainer(context.events, context.index.setState(id, { oomKilled: true }), 'oom');
}

/** How long the end of the daemon waits for starts that are in progress. */
const startMilliseconds = 10_000;

/**
 * Also containers whose start is in progress, unless it takes too long. Restart policies apply at the daemon's next start,
 * so this does not count as a stop by a user.
 */
async function stopAll(context: EngineContext): Promise<void> {
  const stop = async ({ id }: ContainerRecord): Promise<void> => {
    const tooLate = pause(startMilliseconds, undefined, { ref: false }).then(() => context.index.byId(id));
    try {
      const record = await Promise.race([settledRecord(context, id), tooLate]);
      if (record && isAlive(record)) await stopAndWait(context, id, { byUser: false });
    } catch (error) {
      context.logger.error('stopping a container failed', { container: id, error: messageOf(error) });
    }
  };
  await Promise.all(context.index.all().map(stop));
}
