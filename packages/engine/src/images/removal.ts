/** `docker rmi` and `docker image prune`: which names and images may be removed, with Docker's order and messages. */
import { NetyardError, shortId } from '@netyard/core';
import type { Filters } from '../contract.ts';
import { booleanFilter, checkFilterKeys, matchesPruneLabels, untilFilter } from '../filters.ts';
import type { ImageRecord } from '../model.ts';
import type { ImageContent, ImageStore } from '../ports.ts';
import type { ContentCollector } from './content-collector.ts';
import { shortDigest } from './digest.ts';
import { findImage, repositoryOf } from './image-lookup.ts';
import type { ImageNames } from './image-names.ts';

/** A container that is based on an image. */
export interface ImageUse {
  containerId: string;
  imageId: string;
  /** Chain ids. */
  layers: readonly string[];
  running: boolean;
}

export type Removed = { untagged: string } | { deleted: string };

export interface RemovalParts {
  store: ImageStore;
  content: ImageContent;
  ledger: ContentCollector;
  names: ImageNames;
  containersUsing: () => readonly ImageUse[];
}

/** Removes names and, with the last one, the image. Throws `not-found` and `conflict` without changing anything. */
export async function removeImage(parts: RemovalParts, ref: string, force: boolean): Promise<Removed[]> {
  const { record, name } = findImage(parts.store.images(), ref);
  const removed: Removed[] = [];
  if (name === undefined) {
    checkConflicts(parts, record, { force, named: !isSingleRepository(record) });
  } else {
    const user = isSingleRepository(record) && !force ? useOf(parts, record.id) : undefined;
    if (user) throw referenceConflict(ref, user, record.id);
    for (const gone of namesGoingWith(record, name)) removed.push(untag(parts, record.id, gone));
    const left = currentRecord(parts, record.id);
    if (left.tags.length + left.digests.length > 0) return removed;
    if (conflictOf(parts, left, { force, named: false })) return removed;
  }
  removed.push(...(await deleteImage(parts, currentRecord(parts, record.id))));
  return removed;
}

/** The digests of a repository are removed with its last tag. */
function namesGoingWith(record: ImageRecord, name: string): string[] {
  const repository = repositoryOf(name);
  const others = record.tags.filter((tag) => tag !== name && repositoryOf(tag) === repository);
  if (others.length > 0 || !record.tags.includes(name)) return [name];
  return [name, ...record.digests.filter((digest) => repositoryOf(digest) === repository)];
}

/** At most one tag, and all names in one repository. */
function isSingleRepository({ tags, digests }: ImageRecord): boolean {
  if (tags.length + digests.length <= 1) return tags.length + digests.length === 1;
  return tags.length <= 1 && new Set([...tags, ...digests].map(repositoryOf)).size === 1;
}

function untag(parts: RemovalParts, id: string, name: string): Removed {
  parts.names.untag(id, name);
  return { untagged: name };
}

const currentRecord = (parts: RemovalParts, id: string): ImageRecord => findImage(parts.store.images(), id).record;

const useOf = (parts: RemovalParts, imageId: string): ImageUse | undefined =>
  parts.containersUsing().find((use) => use.imageId === imageId);

function referenceConflict(ref: string, use: ImageUse, imageId: string): NetyardError {
  return new NetyardError(
    'conflict',
    `conflict: unable to remove repository reference "${ref}" (must force) - container ${shortId(use.containerId)} is using its referenced image ${shortDigest(imageId)}`,
  );
}

interface ConflictRules {
  force: boolean;
  /** Whether names prevent the removal. */
  named: boolean;
}

/** Why an image may not be removed; undefined when it may. */
function conflictOf(parts: RemovalParts, record: ImageRecord, rules: ConflictRules): string | undefined {
  const uses = parts.containersUsing().filter((use) => use.imageId === record.id);
  const running = uses.find((use) => use.running);
  if (running) {
    return `(cannot be forced) - image is being used by running container ${shortId(running.containerId)}`;
  }
  if (rules.force) return undefined;
  if (rules.named && record.tags.length + record.digests.length > 0) {
    return '(must be forced) - image is referenced in multiple repositories';
  }
  const [stopped] = uses;
  return stopped && `(must be forced) - image is being used by stopped container ${shortId(stopped.containerId)}`;
}

function checkConflicts(parts: RemovalParts, record: ImageRecord, rules: ConflictRules): void {
  const conflict = conflictOf(parts, record, rules);
  if (conflict === undefined) return;
  throw new NetyardError('conflict', `conflict: unable to delete ${shortDigest(record.id)} ${conflict}`);
}

/** Removes all its names, its record, and its layers that nothing else needs, uppermost first. */
async function deleteImage(parts: RemovalParts, record: ImageRecord): Promise<Removed[]> {
  const removed: Removed[] = [...record.tags, ...record.digests].map((name) => untag(parts, record.id, name));
  parts.names.emit('delete', record.id, record.id);
  parts.store.deleteImage(record.id);
  removed.push({ deleted: record.id });
  const chains = record.layers.map(({ chainId }) => chainId).filter((chainId) => !parts.ledger.needsLayer(chainId));
  await parts.ledger.release({
    blobs: [record.configDigest, ...record.layers.map(({ digest }) => digest)],
    layers: record.layers.map(({ chainId }) => chainId),
  });
  return [...removed, ...chains.toReversed().map((chainId) => ({ deleted: chainId }))];
}

/** Images without a tag, or with `dangling=false` all that no container uses. */
export async function pruneImages(
  parts: RemovalParts,
  filters: Filters,
  now: bigint,
): Promise<{ deleted: Removed[]; reclaimed: number }> {
  checkFilterKeys(filters, ['dangling', 'label', 'label!', 'until']);
  const danglingOnly = booleanFilter(filters, 'dangling') ?? true;
  const until = untilFilter(filters, now);
  const used = new Set(parts.containersUsing().map(({ imageId }) => imageId));
  const chosen = parts.store
    .images()
    .filter((record) => !used.has(record.id) && (!danglingOnly || record.tags.length === 0))
    .filter((record) => until === undefined || record.created <= until)
    .filter((record) => matchesPruneLabels(filters, record.config.labels));
  const sizes = await sizesOf(parts.content, chosen);
  const deleted: Removed[] = [];
  for (const record of chosen) deleted.push(...(await deleteImage(parts, record)));
  const gone = deleted.map((line) => ('deleted' in line ? (sizes.get(line.deleted) ?? 0) : 0));
  return { deleted, reclaimed: gone.reduce((sum, size) => sum + size, 0) };
}

async function sizesOf(content: ImageContent, images: readonly ImageRecord[]): Promise<Map<string, number>> {
  const chains = new Set(images.flatMap(({ layers }) => layers.map(({ chainId }) => chainId)));
  return new Map(
    await Promise.all([...chains].map(async (chainId) => [chainId, await content.layerSize(chainId)] as const)),
  );
}
