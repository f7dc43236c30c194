/** Records of images: created from a configuration and its layers, tagged and untagged. Pure. */
import { NetyardError } from '@netyard/core';
import type { ImageConfig, ImageLayer, ImageRecord } from '../model.ts';
import type { Descriptor } from '../ports.ts';
import { chainIdsOf } from './digest.ts';
import { parseTime } from './image-time.ts';

/** @param blobs the layers' blobs, lowest first, one for each diff id */
export function layersOf(config: ImageConfig, blobs: readonly Descriptor[]): ImageLayer[] {
  if (blobs.length !== config.diffIds.length) {
    throw new NetyardError(
      'invalid',
      `invalid manifest, layers length mismatch: expected ${blobs.length}, got ${config.diffIds.length}`,
    );
  }
  const chainIds = chainIdsOf(config.diffIds);
  return blobs.map((blob, index) => ({
    ...blob,
    diffId: config.diffIds[index] ?? '',
    chainId: chainIds[index] ?? '',
  }));
}

/** A record without names. `size`: bytes of all layers, unpacked. */
export function newImageRecord(parts: {
  id: string;
  config: ImageConfig;
  layers: ImageLayer[];
  size: number;
  parent?: string;
}): ImageRecord {
  return {
    ...parts,
    configDigest: parts.id,
    tags: [],
    digests: [],
    created: parseTime(parts.config.created) ?? 0n,
    lastTagged: 0n,
  };
}

const added = (list: readonly string[], name: string): string[] =>
  [...list.filter((each) => each !== name), name].sort();

export function withTag(record: ImageRecord, tag: string, now: bigint): ImageRecord {
  return { ...record, tags: added(record.tags, tag), lastTagged: now };
}

export function withDigestName(record: ImageRecord, digest: string): ImageRecord {
  return { ...record, digests: added(record.digests, digest) };
}

export function withoutName(record: ImageRecord, name: string): ImageRecord {
  return {
    ...record,
    tags: record.tags.filter((each) => each !== name),
    digests: record.digests.filter((each) => each !== name),
  };
}
