/**
 * Blobs in containerd's content store and layers in directories of our own (the engine's `ImageContent`).
 *
 * containerd's garbage collector keeps our blobs (label `containerd.io/gc.root`); the engine decides what is no longer
 * needed. A layer is checked (layer-check.ts), then unpacked by containerd's diff service into a temporary directory,
 * which is renamed once its digest is verified.
 */
import { createHash, randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type ArchiveLimits, KeyedQueue, NetyardError } from '@netyard/core';
import type { Descriptor, ImageContent } from '@netyard/engine';
import type { ContainerdClient } from '../containerd/client.ts';
import type { BlobStore } from './blob-store.ts';
import { containerdBlobs } from './containerd-blobs.ts';
import { inspectLayer, type LayerReport } from './layer-check.ts';
import { punchHoles } from './layer-holes.ts';
import { OverlayFolders } from './overlay-folders.ts';

export interface ImageContentOptions {
  containerd: Pick<ContainerdClient, 'content' | 'diff'>;
  /** Absolute; `overlay` is created below it. */
  dataRoot: string;
  /** Of one layer; each limit has a default. */
  archiveLimits?: Partial<ArchiveLimits>;
}

const refPrefix = 'netyard-';
const mediaTypeLabel = 'netyard.media-type';
const gcRootLabel = 'containerd.io/gc.root';

/** Also removes leftovers of an earlier daemon: call it before anything else is created below the data root. */
export async function openImageContent(options: ImageContentOptions): Promise<ImageContent> {
  const folders = new OverlayFolders(options.dataRoot);
  const blobs = containerdBlobs(options.containerd);
  await Promise.all([folders.removeTemporary(), blobs.abandonWrites(refPrefix)]);
  return new ContainerdImageContent(blobs, folders, options.archiveLimits ?? {});
}

class ContainerdImageContent implements ImageContent {
  readonly #blobs: BlobStore;
  readonly #folders: OverlayFolders;
  readonly #limits: Partial<ArchiveLimits>;
  readonly #queue = new KeyedQueue();

  constructor(blobs: BlobStore, folders: OverlayFolders, limits: Partial<ArchiveLimits>) {
    this.#limits = limits;
    this.#blobs = blobs;
    this.#folders = folders;
  }

  async has(digest: string): Promise<boolean> {
    return (await this.#blobs.info(digest)) !== undefined;
  }

  async write(
    expected: { digest?: string; size?: number; mediaType: string },
    stream: AsyncIterable<Uint8Array>,
  ): Promise<Descriptor> {
    const { digest, size } = await this.#blobs.write({
      ref: `${refPrefix}${randomUUID()}`,
      ...(expected.digest === undefined ? {} : { expectedDigest: expected.digest }),
      ...(expected.size === undefined ? {} : { expectedSize: expected.size }),
      labels: { [gcRootLabel]: new Date().toISOString(), [mediaTypeLabel]: expected.mediaType },
      stream,
    });
    return { digest, size, mediaType: expected.mediaType };
  }

  read(digest: string): AsyncIterable<Uint8Array> {
    return this.#blobs.read(digest);
  }

  async readAll(digest: string, limit: number): Promise<Uint8Array> {
    const info = await this.#blobs.info(digest);
    if (!info) throw new NetyardError('not-found', `no such blob: ${digest}`);
    if (info.size > limit) {
      throw new NetyardError('invalid', `${digest} has ${info.size} bytes, more than the limit of ${limit}`);
    }
    const chunks: Uint8Array[] = [];
    for await (const chunk of this.#blobs.read(digest)) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  remove(digest: string): Promise<void> {
    return this.#blobs.delete(digest);
  }

  async listBlobs(): Promise<Descriptor[]> {
    const blobs = await this.#blobs.list();
    return blobs
      .filter(({ labels }) => labels[mediaTypeLabel] !== undefined)
      .map(({ digest, size, labels }) => ({ digest, size, mediaType: labels[mediaTypeLabel] ?? '' }));
  }

  unpack(layer: Descriptor, parents: readonly string[], chainId: string): Promise<{ diffId: string }> {
    return this.#queue.run(chainId, async () => {
      const blob = this.#blobs.read(layer.digest);
      const checked = await inspectLayer(blob, this.#folders.freeBytes(), this.#limits);
      const found = chainIdOf(parents.at(-1), checked.diffId);
      if (found !== chainId) {
        throw new NetyardError(
          'invalid',
          `the layer ${layer.digest} has the diff id ${checked.diffId}, which differs from the announced one`,
        );
      }
      if (!this.#folders.hasLayer(chainId)) await this.#apply(layer, parents, chainId, checked);
      return { diffId: checked.diffId };
    });
  }

  async #apply(layer: Descriptor, parents: readonly string[], chainId: string, checked: LayerReport): Promise<void> {
    const temporary = this.#folders.makeTemporary();
    try {
      const diff = join(temporary, 'diff');
      mkdirSync(diff, { mode: 0o755 });
      const lower = parents.map((parent) => this.#folders.diff(parent)).toReversed();
      // containerd takes the directories from the overlay's options and mounts nothing
      const options = [`upperdir=${diff}`, ...(lower.length > 0 ? [`lowerdir=${lower.join(':')}`] : [])];
      const mounts = [{ type: 'overlay', source: 'overlay', target: '', options }];
      const applied = await this.#blobs.apply(layer, mounts);
      if (applied.digest !== checked.diffId) {
        throw new NetyardError('internal', `containerd unpacked ${applied.digest}, expected ${checked.diffId}`);
      }
      await punchHoles(diff, checked.sparse);
      await this.#folders.commitLayer(temporary, chainId, checked.size);
    } finally {
      await this.#folders.discard(temporary);
    }
  }

  async hasLayer(chainId: string): Promise<boolean> {
    return this.#folders.hasLayer(chainId);
  }

  removeLayer(chainId: string): Promise<void> {
    return this.#queue.run(chainId, () => this.#folders.removeLayer(chainId));
  }

  async listLayers(): Promise<string[]> {
    return this.#folders.layers();
  }

  async layerSize(chainId: string): Promise<number> {
    return this.#folders.layerSize(chainId);
  }
}

/** OCI image-spec config.md, "Layer ChainID". */
function chainIdOf(below: string | undefined, diffId: string): string {
  if (below === undefined) return diffId;
  return `sha256:${createHash('sha256').update(`${below} ${diffId}`).digest('hex')}`;
}
