/** Translates images into Docker's JSON. Pure. */
import type { ImageDeleteItem, ImageHistoryItem, ImageInspect, ImageSummary } from '@netyard/api-types';
import { formatTime, zeroTime } from '@netyard/core';
import type { Healthcheck, ImageRecord, ImageService } from '@netyard/engine';
import { isZero } from '../schemas/is-zero.ts';
import { type ApiVersion, speaks } from '../versions.ts';
import { showHealthcheck } from './config-fields.ts';
import { exposedKey } from './ports.ts';

const seconds = (nanoseconds: bigint): number => Number(nanoseconds / 1_000_000_000n);

/** Until API 1.43, a duplicate of Size. */
const virtualSize = ({ size }: ImageRecord, version: ApiVersion): { VirtualSize?: number } =>
  speaks(version, 44) ? {} : { VirtualSize: size };

export function translateImageSummary(
  { record, containers, sharedSize = -1 }: { record: ImageRecord; containers: number; sharedSize?: number },
  version: ApiVersion,
): ImageSummary {
  return {
    Containers: containers,
    Created: seconds(record.created),
    Id: record.id,
    Labels: Object.keys(record.config.labels).length > 0 ? record.config.labels : null,
    ParentId: record.parent ?? '',
    RepoDigests: record.digests,
    RepoTags: record.tags,
    SharedSize: sharedSize,
    Size: record.size,
    ...virtualSize(record, version),
  };
}

/** Since API 1.52 fields without a value are omitted, as in OCI's images. */
export function translateImageInspect(record: ImageRecord, version: ApiVersion, userAgent = ''): Partial<ImageInspect> {
  const shown = showImage(record, version, hasContainerConfig(version, userAgent));
  if (!speaks(version, 52)) return shown;
  const { Config, Parent, Comment, DockerVersion, Author, ...others } = shown;
  return { ...others, ...withoutZeros({ Parent, Comment, DockerVersion, Author }), Config: withoutZeros(Config) };
}

const withoutZeros = <T extends object>(values: T): T =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => !isZero(value))) as T;

/**
 * Until API 1.44 the configuration of the container that a build committed; builds of today leave it empty. docker-compose
 * 1 reads the volumes from it with any version of the API, and fails without it.
 */
const hasContainerConfig = (version: ApiVersion, userAgent: string): boolean =>
  !speaks(version, 45) || userAgent.startsWith('docker-compose/1.');

function showImage(record: ImageRecord, version: ApiVersion, withContainerConfig: boolean): ImageInspect {
  const { config } = record;
  return {
    Id: record.id,
    RepoTags: record.tags,
    RepoDigests: record.digests,
    Parent: record.parent ?? '',
    Comment: config.history.at(-1)?.comment ?? '',
    ...createdOf(record, version),
    DockerVersion: '',
    Author: config.author ?? '',
    Config: translateImageConfig(config, version),
    ...(withContainerConfig ? { ContainerConfig: translateImageConfig(config, version) } : {}),
    Architecture: config.architecture,
    ...(config.variant ? { Variant: config.variant } : {}),
    Os: config.os,
    Size: record.size,
    ...virtualSize(record, version),
    GraphDriver: { Data: null, Name: 'overlay2' },
    RootFS: { Type: 'layers', Layers: config.diffIds },
    Metadata: { LastTagTime: record.lastTagged > 0n ? formatTime(record.lastTagged) : zeroTime },
  };
}

/** Of an image without a time: absent since API 1.44. */
function createdOf({ config, created }: ImageRecord, version: ApiVersion): Pick<ImageInspect, 'Created'> {
  if (config.created !== undefined) return { Created: config.created };
  if (created !== 0n) return { Created: formatTime(created) };
  return speaks(version, 44) ? {} : { Created: zeroTime };
}

/** Fields of containers, which images were shown with before API 1.50. */
const containerFields: ImageInspect['Config'] = {
  ...{ Hostname: '', Domainname: '', Image: '' },
  ...{ AttachStdin: false, AttachStdout: false, AttachStderr: false, Tty: false, OpenStdin: false, StdinOnce: false },
};

function translateImageConfig(config: ImageRecord['config'], version: ApiVersion): ImageInspect['Config'] {
  const exposed = config.exposedKeys ?? config.exposed.map(exposedKey);
  return {
    ...(speaks(version, 50) ? {} : containerFields),
    User: config.user,
    ...(exposed.length > 0 ? { ExposedPorts: Object.fromEntries(exposed.map((key) => [key, {}])) } : {}),
    Env: config.env,
    Cmd: config.command.length > 0 ? config.command : null,
    Volumes: config.volumes.length > 0 ? Object.fromEntries(config.volumes.map((path) => [path, {}])) : null,
    WorkingDir: config.workingDirectory,
    Entrypoint: config.entrypoint.length > 0 ? config.entrypoint : null,
    Labels: Object.keys(config.labels).length > 0 ? config.labels : null,
    ...(config.stopSignal === '' ? {} : { StopSignal: config.stopSignal }),
    ...(config.shell ? { Shell: config.shell } : {}),
    ...(config.healthcheck ? { Healthcheck: shownHealthcheck(config.healthcheck) } : {}),
    OnBuild: config.onBuild ?? null,
  };
}

/** Without its zero values, as Docker shows it. */
const shownHealthcheck = (check: Healthcheck): NonNullable<ImageInspect['Config']['Healthcheck']> =>
  Object.fromEntries(Object.entries(showHealthcheck(check)).filter(([, value]) => !isZero(value)));

type History = Awaited<ReturnType<ImageService['history']>>[number];

export function translateHistory(item: History): ImageHistoryItem {
  return {
    Id: item.id === '' ? '<missing>' : item.id,
    Created: seconds(item.created),
    CreatedBy: item.createdBy,
    Tags: item.tags.length > 0 ? item.tags : null,
    Size: item.size,
    Comment: item.comment,
  };
}

export const translateDeleted = (item: { untagged: string } | { deleted: string }): ImageDeleteItem =>
  'untagged' in item ? { Untagged: item.untagged } : { Deleted: item.deleted };
