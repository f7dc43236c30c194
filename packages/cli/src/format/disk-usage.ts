/** Formats `system df`: disk usage and the reclaimable part. Pure. */
import type { ContainerSummary, DiskUsageResponse, ImageSummary, Volume } from '@netyard/api-types';
import { humanSize } from './human.ts';
import type { Listing, Row } from './listing.ts';

export const diskUsageListing: Listing = {
  headers: { Type: 'TYPE', TotalCount: 'TOTAL', Active: 'ACTIVE', Size: 'SIZE', Reclaimable: 'RECLAIMABLE' },
  columns: ['Type', 'TotalCount', 'Active', 'Size', 'Reclaimable'],
  typeName: '*formatter.diskUsageImagesContext',
};

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

function row(type: string, total: number, active: number, size: number, reclaimable: number, share = true): Row {
  const percent = share && size > 0 ? ` (${Math.trunc((reclaimable * 100) / size)}%)` : '';
  return {
    Type: type,
    TotalCount: String(total),
    Active: String(active),
    Size: humanSize(size),
    Reclaimable: humanSize(reclaimable) + percent,
  };
}

export function diskUsageRows(usage: DiskUsageResponse): Row[] {
  return [
    imagesRow(usage.LayersSize, usage.Images ?? []),
    containersRow(usage.Containers ?? []),
    volumesRow(usage.Volumes ?? []),
    row('Build Cache', 0, 0, 0, 0, false),
  ];
}

function imagesRow(total: number, images: readonly ImageSummary[]): Row {
  const inUse = images.filter((image) => image.Containers > 0);
  const known = inUse.filter((image) => image.Size !== -1 && image.SharedSize !== -1);
  const used = sum(known.map((image) => image.Size - image.SharedSize));
  return row('Images', images.length, inUse.length, total, total - used);
}

export const isActive = ({ State }: ContainerSummary): boolean => ['running', 'paused', 'restarting'].includes(State);

function containersRow(containers: readonly ContainerSummary[]): Row {
  const size = (some: readonly ContainerSummary[]): number => sum(some.map((container) => container.SizeRw ?? 0));
  const active = containers.filter(isActive);
  return row('Containers', containers.length, active.length, size(containers), size(containers) - size(active));
}

function volumesRow(volumes: readonly Volume[]): Row {
  const size = (some: readonly Volume[]): number => sum(some.map(({ UsageData }) => Math.max(UsageData?.Size ?? 0, 0)));
  const active = volumes.filter(({ UsageData }) => (UsageData?.RefCount ?? 0) > 0);
  return row('Local Volumes', volumes.length, active.length, size(volumes), size(volumes) - size(active));
}
