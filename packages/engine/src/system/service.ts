/** `docker info`, `docker system df` and `netyard system cleanup`. */

import type { KeyedQueue } from '@netyard/core';
import type { Networks } from '@netyard/sandbox';
import type { BackgroundDeletions } from '../containers/background-deletions.ts';
import { type ReconcileDependencies, remains, removeUnknown, unknownContainers } from '../containers/reconcile.ts';
import { type SummaryDependencies, summarize } from '../containers/summary.ts';
import type { DiskUsage, Engine, SystemInfo } from '../contract.ts';
import type { Images } from '../images/image-service.ts';
import type { Outputs } from '../logs/outputs.ts';
import type { Runtime } from '../ports.ts';
import { type ContainerIndex, hasProcess } from '../records/container-index.ts';
import type { EngineSettings } from '../settings.ts';
import { treeSize } from '../volumes/service.ts';
import type { VolumeIndex } from '../volumes/volume-index.ts';

/** What the functions of this file work on. */
export interface SystemServiceDependencies extends ReconcileDependencies, SummaryDependencies {
  readonly runtime: Runtime;
  readonly networks: Networks;
  readonly images: Images;
  readonly settings: EngineSettings;
  readonly index: ContainerIndex;
  readonly volumes: VolumeIndex;
  readonly outputs: Outputs;
  readonly backgroundDeletions: BackgroundDeletions;
  readonly stateProblems: () => string[];
  readonly queue: KeyedQueue;
}

export function createSystemService(context: SystemServiceDependencies): Engine['system'] {
  return {
    info: () => systemInfo(context),
    diskUsage: () => diskUsage(context),
    cleanup: (options) => cleanup(context, options),
  };
}

async function systemInfo(context: SystemServiceDependencies): Promise<SystemInfo> {
  const { runtime, images, index, settings } = context;
  const [version, imageList] = await Promise.all([
    runtime.version(),
    images.list({ all: true, filters: new Map(), digests: false }),
  ]);
  const records = index.all();
  const running = records.filter(({ state }) => state.status === 'running' || state.status === 'restarting').length;
  const paused = records.filter(({ state }) => state.status === 'paused').length;
  return {
    containers: { total: records.length, running, paused, stopped: records.length - running - paused },
    images: imageList.length,
    dataRoot: settings.dataRoot,
    containerd: version.containerd,
    runtimes: version.runtimes,
    defaultRuntime: version.defaultRuntime,
    cgroupVersion: settings.cgroupVersion,
    storageDriver: settings.storageDriver,
    warnings: [...context.stateProblems(), ...context.networks.warnings().map((warning) => `WARNING: ${warning}`)],
  };
}

async function diskUsage(context: SystemServiceDependencies): Promise<DiskUsage> {
  const { images, index, volumes } = context;
  const listed = await images.list({ all: true, filters: new Map(), digests: false });
  const containers = await Promise.all(index.all().map((record) => summarize(context, record, { size: true })));
  const used = volumes.all().map(async (record) => ({
    record,
    size: await treeSize(record.mountpoint),
    references: volumes.users(record.name).length,
  }));
  const shared = listed.map(async ({ record, containers: count }) => ({
    record,
    containers: count,
    sharedSize: await images.sharedSize(record),
  }));
  return {
    layersSize: await images.layersSize(),
    images: await Promise.all(shared),
    containers,
    volumes: await Promise.all(used),
  };
}

/**
 * Removes what no container owns: prepared shims, pipes, network objects. Data without a record (writable layers, image
 * layers) is listed, and removed only with `unknownData`.
 */
async function cleanup(
  context: SystemServiceDependencies,
  { dryRun, unknownData = false }: { dryRun: boolean; unknownData?: boolean },
): Promise<string[]> {
  await context.backgroundDeletions.idle();
  const tasks = new Map((await context.runtime.list()).map((task) => [task.id, task]));
  const report: string[] = [];
  for (const id of await remains(context, tasks)) {
    if (!dryRun) await removeUnknown(context, id);
    report.push(`container ${id}`);
  }
  for (const id of await unknownContainers(context, tasks)) {
    if (unknownData && !dryRun) await removeUnknown(context, id);
    report.push(unknownData ? `container ${id} and its data` : `kept: container ${id}, which has data but no record`);
  }
  report.push(...(await cleanContent(context, { dryRun, unknownData })));
  report.push(...(await cleanOutputFiles(context, dryRun)));
  return [...report, ...(await context.networks.cleanup({ dryRun }))];
}

/** In the container's queue: one that is about to start has files but no process yet. */
async function cleanOutputFiles(
  { index, outputs, queue }: SystemServiceDependencies,
  dryRun: boolean,
): Promise<string[]> {
  const report: string[] = [];
  for (const id of outputs.leftovers())
    await queue.run(id, async () => {
      const record = index.byId(id);
      if (!record || hasProcess(record) || !outputs.leftovers().includes(id)) return;
      if (!dryRun) outputs.removeLeftover(id);
      report.push(`output files of container ${id}`);
    });
  return report;
}

async function cleanContent(
  { images }: SystemServiceDependencies,
  { dryRun, unknownData }: { dryRun: boolean; unknownData: boolean },
): Promise<string[]> {
  const unnamed = await images.unnamedContent();
  if (unknownData && !dryRun) await images.collectGarbage(unnamed);
  return unnamed.map((name) => (unknownData ? name : `kept: ${name}, which no image and no container names`));
}
