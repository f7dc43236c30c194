/** Translates the disk usage of all objects: Docker's lists, and since API 1.52 a summary of each kind. Pure. */
import type { ContainerSummary, Engine } from '@netyard/engine';
import { LazyList } from '../http/json-pieces.ts';
import { type ApiVersion, speaks } from '../versions.ts';
import { translateContainerSummary } from './container-summary.ts';
import { translateImageSummary } from './image.ts';
import { translateVolume } from './volume.ts';

type DiskUsage = Awaited<ReturnType<Engine['system']['diskUsage']>>;

export const diskUsageKinds = ['container', 'image', 'volume', 'build-cache'] as const;
type Wants = (kind: (typeof diskUsageKinds)[number]) => boolean;

/** @param verbose since 1.52: the objects in the summaries, and no lists of older versions */
export function translateDiskUsage(
  usage: DiskUsage,
  wants: Wants,
  { version, verbose }: { version: ApiVersion; verbose: boolean },
): object {
  const lists = {
    Images: new LazyList(usage.images, (each) => translateImageSummary(each, version)),
    Containers: new LazyList(usage.containers, translateContainerSummary),
    Volumes: new LazyList(usage.volumes, ({ record, size, references }) => ({
      ...translateVolume(record),
      UsageData: { Size: size, RefCount: references },
    })),
  };
  const legacy = {
    LayersSize: usage.layersSize,
    Images: wants('image') ? lists.Images : null,
    Containers: wants('container') ? lists.Containers : null,
    Volumes: wants('volume') ? lists.Volumes : null,
    BuildCache: wants('build-cache') ? [] : null,
  };
  if (!speaks(version, 52)) return legacy;
  const items = (list: Iterable<unknown>): object => (verbose ? { Items: list } : {});
  return {
    ...(verbose ? {} : legacy),
    ...(wants('image') ? { ImageUsage: { ...summarizeImages(usage), ...items(lists.Images) } } : {}),
    ...(wants('container') ? { ContainerUsage: { ...summarizeContainers(usage), ...items(lists.Containers) } } : {}),
    ...(wants('volume') ? { VolumeUsage: { ...summarizeVolumes(usage), ...items(lists.Volumes) } } : {}),
    ...(wants('build-cache') ? { BuildCacheUsage: {} } : {}),
  };
}

interface Part {
  size: number;
  isActive: boolean;
}

/** Zeros are omitted, as in Docker. */
function summarize(parts: readonly Part[], total?: number): Record<string, number> {
  const sum = (chosen: readonly Part[]): number => chosen.reduce((before, { size }) => before + Math.max(0, size), 0);
  const active = parts.filter(({ isActive }) => isActive);
  const TotalSize = total ?? sum(parts);
  const counts = {
    ActiveCount: active.length,
    Reclaimable: Math.max(0, TotalSize - sum(active)),
    TotalCount: parts.length,
    TotalSize,
  };
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));
}

/** Layers that images share count once, so an image in use holds what only it has. */
const summarizeImages = ({ images, layersSize }: DiskUsage): Record<string, number> =>
  summarize(
    images.map(({ record, containers, sharedSize }) => ({
      size: record.size - Math.max(0, sharedSize),
      isActive: containers > 0,
    })),
    layersSize,
  );

const summarizeContainers = ({ containers }: DiskUsage): Record<string, number> =>
  summarize(containers.map((one) => ({ size: one.sizes?.writable ?? 0, isActive: isActive(one) })));

const isActive = ({ record: { state } }: ContainerSummary): boolean =>
  ['running', 'paused', 'restarting'].includes(state.status);

const summarizeVolumes = ({ volumes }: DiskUsage): Record<string, number> =>
  summarize(volumes.map(({ size, references }) => ({ size, isActive: references > 0 })));
