/** `docker info`, `docker system df`, and what `netyard system cleanup` takes away. */
import { hasProcess } from '../containers/container-index.ts';
import { orphans, removeOrphan } from '../containers/reconcile.ts';
import { summarize } from '../containers/summary.ts';
import type { EngineContext } from '../context.ts';
import type { DiskUsage, Engine, SystemInfo } from '../contract.ts';
import { treeSize } from '../volumes/service.ts';

export function createSystemService(context: EngineContext): Engine['system'] {
  return {
    info: () => systemInfo(context),
    diskUsage: () => diskUsage(context),
    cleanup: (options) => cleanup(context, options),
  };
}

async function systemInfo(context: EngineContext): Promise<SystemInfo> {
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
    warnings: [],
  };
}

async function diskUsage(context: EngineContext): Promise<DiskUsage> {
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

/** What no container claims: tasks, folders, network things. Containers and their data stay. */
async function cleanup(context: EngineContext, { dryRun }: { dryRun: boolean }): Promise<string[]> {
  await context.departures.idle();
  const tasks = new Map((await context.runtime.list()).map((task) => [task.id, task]));
  const found = await orphans(context, tasks);
  const report: string[] = [];
  for (const id of found) {
    if (!dryRun) await removeOrphan(context, id);
    report.push(`container ${id}`);
  }
  for (const { id } of context.index.all().filter((record) => !hasProcess(record))) {
    const left = context.outputs.leftovers().includes(id);
    if (left && !dryRun) context.outputs.removeLeftover(id);
    if (left) report.push(`output files of container ${id}`);
  }
  return [...report, ...(await context.networks.cleanup({ dryRun }))];
}
