/** Images: the `ImageService` of the engine's contract, composed of one file per use case. */
import type { Readable } from 'node:stream';
import { type ArchiveLimits, type Clock, type Logger, NetyardError, silentLogger } from '@netyard/core';
import type { EventStream, ImageService, Platform } from '../contract.ts';
import type { ContainerRecord, ImageRecord } from '../model.ts';
import type { ImageContent, ImageStore, Registry } from '../ports.ts';
import { type CommitRequest, commitImage } from './commit.ts';
import { ContentCollector } from './content-collector.ts';
import { historyOf } from './history.ts';
import { filterImages } from './image-filters.ts';
import { findImage } from './image-lookup.ts';
import { ImageNames } from './image-names.ts';
import { importArchive } from './import.ts';
import { loadArchive } from './load.ts';
import { platformOf } from './manifest.ts';
import { formatPlatform, isPlatformOf, parsePlatform, platformMismatch } from './platform.ts';
import { progressOf } from './progress.ts';
import { pullImage } from './pull.ts';
import { pushImage } from './push.ts';
import { familiarString, referenceOf } from './reference.ts';
import { type ImageUse, pruneImages, removeImage } from './removal.ts';
import { chooseImages, saveArchive } from './save.ts';

export interface ImageServiceParts {
  store: ImageStore;
  content: ImageContent;
  registry: Registry;
  events: Pick<EventStream, 'publish'>;
  /** Every container, running or not. */
  containers: () => readonly ContainerRecord[];
  clock: Clock;
  /** Limits for load, import and pull; each has a default. */
  archiveLimits?: Partial<ArchiveLimits>;
  logger?: Logger;
  /** Defaults to `process.arch`. */
  architecture?: string;
}

/** What the engine itself needs beyond the contract. */
export interface Images extends ImageService {
  /**
   * Runs work on an image, such as creating a container; its layers are kept meanwhile, even if it is removed. The
   * container must be among `containers` when the work ends.
   */
  use<T>(ref: string, work: (record: ImageRecord) => Promise<T>): Promise<T>;
  commit(request: CommitRequest): Promise<ImageRecord>;
  /**
   * Removes those of `content` (`blob X`, `layer X`) that neither an image nor a container needs, and leftovers of
   * unfinished operations: at the start, and after a container's removal.
   */
  collectGarbage(content?: readonly string[]): Promise<void>;
  /** Blobs and layers that no image, container or unfinished operation names: their record may be lost. */
  unnamedContent(): Promise<string[]>;
  /** Bytes of all local layers, shared ones counted once. */
  layersSize(): Promise<number>;
  /** Bytes of an image's layers that other images share. */
  sharedSize(record: ImageRecord): Promise<number>;
}

export function createImageService(parts: ImageServiceParts): Images {
  const { store, content, clock, registry, archiveLimits = {} } = parts;
  const containersUsing = (): ImageUse[] => parts.containers().map(useOf);
  const names = new ImageNames(parts);
  const ledger = new ContentCollector({
    content,
    store,
    containerLayers: () => containersUsing().flatMap(({ layers }) => layers),
    logger: parts.logger ?? silentLogger,
  });
  const platform = platformOf(parts.architecture ?? process.arch);
  const shared = { store, content, ledger, names, platform, clock, registry, archiveLimits, containersUsing };
  const shown = (record: ImageRecord): ImageRecord => withPresentParent(store.images(), record);
  return {
    async list({ filters }) {
      const uses = new Map<string, number>();
      for (const { imageId } of parts.containers()) uses.set(imageId, (uses.get(imageId) ?? 0) + 1);
      const listed = filterImages(store.images(), filters, clock.now());
      return listed.map((record) => ({ record: shown(record), containers: uses.get(record.id) ?? 0 }));
    },
    get: async (ref, asked) => shown(findForPlatform(store.images(), ref, asked)),
    history: async (ref, asked) =>
      await historyOf(content, store.images(), findForPlatform(store.images(), ref, asked)),
    load: (archive, options) =>
      progressOf((report, signal) => loadArchive(shared, until(archive, signal), report, options)),
    async save(refs, options = {}) {
      const chosen = chooseImages(store.images(), refs);
      const { platform: asked } = options;
      if (asked && !chosen.every(({ record }) => isPlatformOf(record, asked))) {
        throw new NetyardError('failed', `no suitable export target found for platform ${formatPlatform(asked)}`);
      }
      for (const { record } of chosen) names.emit('save', record.id, record.id);
      return saveArchive(content, chosen);
    },
    import: (archive, request) =>
      progressOf(async (report, signal) => {
        const { id } = await importArchive(shared, until(archive, signal), request);
        report({ status: id });
      }),
    async tag(ref, repository, tag) {
      const { record } = findImage(store.images(), ref);
      names.tag(record.id, familiarString(referenceOf(repository, tag)));
    },
    async remove(ref, { force, platforms = [] }) {
      for (const asked of platforms) findForPlatform(store.images(), ref, asked);
      return await removeImage(shared, ref, force);
    },
    async prune(filters) {
      const pruned = await pruneImages(shared, filters, clock.now());
      const attributes = { reclaimed: String(pruned.reclaimed) };
      parts.events.publish({ type: 'image', action: 'prune', actorId: '', attributes });
      return pruned;
    },
    pull: (image, tag, credentials, signal, options) =>
      progressOf((report, stop) => {
        const asked = options?.platform ? { platform: parsePlatform(options.platform, platform) } : {};
        return pullImage(shared, { image, tag, credentials, signal: stop, ...asked }, report);
      }, signal),
    push: (image, tag, credentials, signal, options = {}) =>
      progressOf(
        (report, stop) => pushImage(shared, { image, tag, credentials, signal: stop, ...options }, report),
        signal,
      ),
    use: async (ref, work) => await ledger.adding(() => work(findImage(store.images(), ref).record)),
    commit: (request) => commitImage(shared, request),
    collectGarbage: (candidates = []) => ledger.collect(candidates),
    unnamedContent: () => ledger.unnamed(),
    layersSize: async () => await sizeOf(content, await content.listLayers()),
    sharedSize: (record) => sizeOf(content, sharedLayers(store.images(), record)),
  };
}

function findForPlatform(images: readonly ImageRecord[], ref: string, asked: Platform | undefined): ImageRecord {
  const { record } = findImage(images, ref);
  if (asked && !isPlatformOf(record, asked)) throw platformMismatch(ref, record, asked);
  return record;
}

/** An image can be removed while others were committed from it: they have their own layers. */
function withPresentParent(images: readonly ImageRecord[], record: ImageRecord): ImageRecord {
  if (images.some(({ id }) => id === record.parent)) return record;
  const { parent: _gone, ...rest } = record;
  return rest;
}

const useOf = ({ id, imageId, layers, state }: ContainerRecord): ImageUse => ({
  containerId: id,
  imageId,
  layers,
  running: ['running', 'paused', 'restarting'].includes(state.status),
});

/** The archive, ended with an error on abort, which also wakes a reader that waits for more of it. */
function until(archive: Readable, signal: AbortSignal): AsyncIterable<Uint8Array> {
  signal.addEventListener('abort', () => archive.destroy(), { once: true });
  return archive;
}

function sharedLayers(images: readonly ImageRecord[], record: ImageRecord): string[] {
  const others = new Set(
    images.filter(({ id }) => id !== record.id).flatMap(({ layers }) => layers.map(({ chainId }) => chainId)),
  );
  return record.layers.map(({ chainId }) => chainId).filter((chainId) => others.has(chainId));
}

async function sizeOf(content: ImageContent, chainIds: readonly string[]): Promise<number> {
  const sizes = await Promise.all(chainIds.map((chainId) => content.layerSize(chainId)));
  return sizes.reduce((sum, size) => sum + size, 0);
}
