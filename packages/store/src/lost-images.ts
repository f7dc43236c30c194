/**
 * Finds images whose records are lost in the content store of the daemon's own containerd: it has their configurations,
 * but not their names. Read-only.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { ContainerRecord } from '@netyard/engine';
import { decodeRecord } from './encoding.ts';
import { listFolder } from './record-files.ts';
import type { Rows } from './tables.ts';

/** The engine's limit for a configuration. */
const longestConfig = 4 * 1024 * 1024;

const blobsPath = (dataRoot: string): string =>
  join(dataRoot, 'containerd/io.containerd.content.v1.content/blobs/sha256');

interface FoundConfig {
  id: string;
  created: string;
  diffIds: string[];
}

/** One line for each image, as text for users. */
export function describeLostImages(dataRoot: string, rows: Rows): string[] {
  const containers = [...rows.containers.values()].map(([, , record]) =>
    decodeRecord<ContainerRecord>(record ?? 'null'),
  );
  return findConfigs(dataRoot)
    .filter(({ id }) => !rows.images.has(id))
    .map(({ id, created, diffIds }) => {
      const present = chainIdsOf(diffIds).filter((chainId) => hasLayer(dataRoot, chainId)).length;
      const names = containers.flatMap(({ imageId, config }) => (imageId === id && config ? [config.image] : []));
      const known = names.length > 0 ? `; containers call it ${[...new Set(names)].join(', ')}` : '';
      const layers = `${present} of its ${diffIds.length} layers exist`;
      return `image ${id} of ${created}: its record is lost, so it has no name and has to be loaded or pulled again; ${layers} and are kept${known}`;
    });
}

function findConfigs(dataRoot: string): FoundConfig[] {
  const folder = blobsPath(dataRoot);
  return listFolder(folder).flatMap((name) => {
    try {
      const path = join(folder, name);
      if (statSync(path).size > longestConfig) return [];
      return configOf(`sha256:${name}`, readFileSync(path));
    } catch {
      return []; // not JSON, or deleted
    }
  });
}

/** Empty for any other blob. Throws if it is not JSON. */
function configOf(id: string, bytes: Buffer): FoundConfig[] {
  if (bytes[0] !== 0x7b) return []; // {
  const value = JSON.parse(bytes.toString()) as { created?: unknown; rootfs?: { diff_ids?: unknown } };
  const diffIds = value.rootfs?.diff_ids;
  if (!Array.isArray(diffIds) || !diffIds.every((diffId) => /^sha256:[0-9a-f]{64}$/.test(String(diffId)))) return [];
  const created = typeof value.created === 'string' ? value.created.replaceAll(/[^\w:.+-]/g, '') : 'an unknown time';
  return [{ id, created, diffIds: diffIds.map(String) }];
}

/** OCI image-spec config.md, "Layer ChainID". */
function chainIdsOf(diffIds: readonly string[]): string[] {
  const chainIds: string[] = [];
  for (const diffId of diffIds) {
    const below = chainIds.at(-1);
    const text = `${below} ${diffId}`;
    chainIds.push(below === undefined ? diffId : `sha256:${createHash('sha256').update(text).digest('hex')}`);
  }
  return chainIds;
}

const hasLayer = (dataRoot: string, chainId: string): boolean =>
  existsSync(join(dataRoot, 'overlay/layers', chainId.slice('sha256:'.length)));
