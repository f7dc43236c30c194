/** `docker info`, `docker system df`, and what `netyard system cleanup` takes away. */
import { hasProcess } from '../containers/container-index.ts';
import { orphans, removeOrphan } from '../containers/reconcile.ts';
import { summarize } from '../containers/summary.ts';
import type { EngineContext } from '../context.ts';
import type { DiskUsage, Engine, SystemInfo } from '../contract.ts';
import type { ImageRecord } from '../model.ts';
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
  return {
    layersSize: layersSize(listed.map(({ record }) => record)),
    images: listed.map(({ record, containers: count }) => ({
      record,
      containers: count,
      sharedSize: sharedSize(
        record,
        listed.map((other) => other.record),
      ),
    })),
    containers,
    volumes: await Promise.all(used),
  };
}

/** Each layer once, in its unpacked size as far as the images' sizes tell it. */
function layersSize(images: readonly ImageRecord[]): number {
  const chains = new Map<string, number>();
  for (const image of images) for (const layer of image.layers) chains.set(layer.chainId, layer.size);
  return [...chains.values()].reduce((sum, size) => sum + size, 0);
}

function sharedSize(image: ImageRecord, all: readonly ImageRecord[]): number {
  const others = new Set(
    all.filter((other) => other.id !== image.id).flatMap(({ layers }) => layers.map((l) => l.chainId)),
  );
  return image.layers.filter((layer) => others.has(layer.chainId)).reduce((sum, layer) => sum + layer.size, 0);
}

/** What no container claims: tasks, folders, network things. Containers and their data stay. */
async function cleanup(context: EngineContext, { dryRun }: { dryRun: boolean }): Promise<string[]> {
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
