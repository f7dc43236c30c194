/**
 * Blobs in containerd's content store and layers in directories of our own (the engine's `ImageContent`).
 *
 * containerd's garbage collector keeps our blobs (label `containerd.io/gc.root`); the engine decides what is no longer
 * needed. A layer is unpacked (layers/) into a temporary directory, which is renamed once its digest is verified. A
 * layer is unpacked while it arrives. An uncompressed one is no blob: its archive is assembled from the files (decision 0041).
 */
import { createHash, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import {
  type ArchiveLimits,
  detectCompression,
  isTarHeader,
  KeyedQueue,
  NetyardError,
  peek,
  tarHeaderLength,
} from '@netyard/core';
import type { Descriptor, ImageContent } from '@netyard/engine';
import type { ContainerdClient } from '../containerd/client.ts';
import type { BlobStore } from './blob-store.ts';
import { Branch } from './branch.ts';
import { containerdBlobs } from './containerd-blobs.ts';
import { checkExpected, type Expected, notLonger } from './expected-blob.ts';
import { describeFolders } from './layers/describe-folders.ts';
import { LayerArchives, type UnpackedLayer } from './layers/layer-archives.ts';
import type { LayerReport } from './layers/layer-writer.ts';
import { LayerUnpacker } from './layers/unpack.ts';
import { OverlayFolders } from './overlay-folders.ts';

export interface ImageContentOptions {
  containerd: Pick<ContainerdClient, 'content'>;
  /** Absolute; `overlay` is created below it. */
  dataRoot: string;
  /** Of one layer; each limit has a default. */
  archiveLimits?: Partial<ArchiveLimits>;
}

const refPrefix = 'netyard-';
const mediaTypeLabel = 'netyard.media-type';
const gcRootLabel = 'containerd.io/gc.root';
/** Media types of compressed layers, Docker's and OCI's. */
const compressedLayer = /\.tar(?:\.gzip|\+gzip|\+zstd)$/;

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
  readonly #archives: LayerArchives;
  readonly #unpacker = new LayerUnpacker();
  readonly #limits: Partial<ArchiveLimits>;
  readonly #queue = new KeyedQueue();

  constructor(blobs: BlobStore, folders: OverlayFolders, limits: Partial<ArchiveLimits>) {
    this.#limits = limits;
    this.#blobs = blobs;
    this.#folders = folders;
    this.#archives = new LayerArchives(folders);
  }

  async has(digest: string): Promise<boolean> {
    return this.#archives.find(digest) !== undefined || (await this.#blobs.info(digest)) !== undefined;
  }

  async write(
    expected: { digest?: string; size?: number; mediaType: string },
    stream: AsyncIterable<Uint8Array>,
  ): Promise<Descriptor> {
    const { head, stream: all } = await peek(stream, tarHeaderLength);
    const { mediaType, digest } = expected;
    if (isTarHeader(head)) return { ...(await this.#writeArchive(expected, all)), mediaType };
    const isCompressed = detectCompression(head) !== 'none' && compressedLayer.test(mediaType);
    const isPulled = digest !== undefined && isCompressed;
    const written = isPulled ? this.#writeAndUnpack(digest, expected, all) : this.#writeBlob(expected, all);
    return { ...(await written), mediaType };
  }

  #writeBlob(
    { digest, size, mediaType }: Expected & { mediaType: string },
    stream: AsyncIterable<Uint8Array>,
  ): Promise<{ digest: string; size: number }> {
    return this.#blobs.write({
      ref: `${refPrefix}${randomUUID()}`,
      ...(digest === undefined ? {} : { expectedDigest: digest }),
      ...(size === undefined ? {} : { expectedSize: size }),
      labels: { [gcRootLabel]: new Date().toISOString(), [mediaTypeLabel]: mediaType },
      stream,
    });
  }

  /**
   * Unpacks a compressed layer while it arrives. An error of that is reported by `unpack`, which tries again: a blob may be
   * valid and its layer not.
   */
  async #writeAndUnpack(
    digest: string,
    expected: Expected & { mediaType: string },
    stream: AsyncIterable<Uint8Array>,
  ): Promise<{ digest: string; size: number }> {
    const branch = new Branch();
    const folder = this.#folders.makeTemporary();
    const unpacking = this.#unpackInto(folder, branch.second(), false, undefined)
      .catch(() => undefined)
      .finally(() => branch.leave());
    let isKept = false;
    try {
      const written = await this.#writeBlob(expected, branch.first(stream));
      const report = await unpacking;
      isKept = report !== undefined && this.#archives.keepFromBlob(digest, { folder, report, isArchive: false });
      return written;
    } finally {
      branch.end();
      await unpacking;
      if (!isKept) await this.#folders.discard(folder);
    }
  }

  async #writeArchive(
    expected: Expected,
    stream: AsyncIterable<Uint8Array>,
  ): Promise<{ digest: string; size: number }> {
    const folder = this.#folders.makeTemporary();
    let isKept = false;
    try {
      const limited = expected.size === undefined ? stream : notLonger(stream, expected.size);
      const report = await this.#unpackInto(folder, limited, true, expected.size);
      checkExpected(expected, { digest: report.diffId, size: report.length });
      isKept = this.#archives.keep({ folder, report, isArchive: true });
      return { digest: report.diffId, size: report.length };
    } finally {
      if (!isKept) await this.#folders.discard(folder);
    }
  }

  #unpackInto(
    folder: string,
    stream: AsyncIterable<Uint8Array>,
    keepTar: boolean,
    /** Of the uncompressed archive, if it is known. */
    length: number | undefined,
  ): Promise<LayerReport> {
    const mostBytes = this.#folders.freeBytes();
    return this.#unpacker.unpack(stream, { folder, keepTar, mostBytes, limits: this.#limits }, length);
  }

  read(digest: string, isShortLived = false): AsyncIterable<Uint8Array> {
    return this.#archives.read(digest, isShortLived) ?? this.#blobs.read(digest);
  }

  async readAll(digest: string, limit: number): Promise<Uint8Array> {
    const size = this.#archives.find(digest) ?? (await this.#blobs.info(digest))?.size;
    if (size === undefined) throw new NetyardError('not-found', `no such blob: ${digest}`);
    if (size > limit) throw new NetyardError('invalid', `${digest} has ${size} bytes, more than the limit of ${limit}`);
    const chunks: Uint8Array[] = [];
    for await (const chunk of this.read(digest)) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  async remove(digest: string): Promise<void> {
    const unpacked = this.#archives.take(digest);
    if (unpacked) await this.#folders.discard(unpacked.folder);
    await this.#blobs.delete(digest);
  }

  async listBlobs(): Promise<Descriptor[]> {
    const blobs = await this.#blobs.list();
    return blobs
      .filter(({ labels }) => labels[mediaTypeLabel] !== undefined)
      .map(({ digest, size, labels }) => ({ digest, size, mediaType: labels[mediaTypeLabel] ?? '' }));
  }

  async discardUnused(): Promise<void> {
    for (const { folder } of this.#archives.takeAll()) await this.#folders.discard(folder);
  }

  unpack(layer: Descriptor, parents: readonly string[], chainId: string): Promise<{ diffId: string }> {
    return this.#queue.run(chainId, async () => {
      if (this.#archives.isLayer(layer.digest, chainId)) return { diffId: layer.digest };
      const unpacked = this.#archives.take(layer.digest) ?? (await this.#unpackAgain(layer));
      try {
        const { diffId } = unpacked.report;
        if (chainIdOf(parents.at(-1), diffId) !== chainId) {
          throw new NetyardError(
            'invalid',
            `the layer ${layer.digest} has the diff id ${diffId}, which differs from the announced one`,
          );
        }
        if (!this.#folders.hasLayer(chainId)) await this.#commit(unpacked, parents, chainId);
        else await this.#adopt(unpacked, chainId);
        return { diffId };
      } finally {
        await this.#folders.discard(unpacked.folder);
      }
    });
  }

  /** From its blob, or from the same layer on top of other ones. */
  async #unpackAgain(layer: Descriptor): Promise<UnpackedLayer> {
    const folder = this.#folders.makeTemporary();
    try {
      const isArchive = this.#archives.find(layer.digest) !== undefined;
      const report = await this.#unpackInto(
        folder,
        this.read(layer.digest),
        isArchive,
        isArchive ? layer.size : undefined,
      );
      return { folder, report, isArchive };
    } catch (error) {
      await this.#folders.discard(folder);
      throw error;
    }
  }

  async #commit(
    { folder, report, isArchive }: UnpackedLayer,
    parents: readonly string[],
    chainId: string,
  ): Promise<void> {
    const lower = parents.map((parent) => this.#folders.diff(parent)).toReversed();
    await describeFolders(join(folder, 'diff'), report.undescribed, lower);
    const { size, diffId, length } = report;
    await this.#folders.sync();
    const archive = isArchive ? { archive: { digest: diffId, length } } : {};
    if (!(await this.#folders.commitLayer(folder, chainId, { size, ...archive }))) return;
    if (isArchive) this.#archives.add(chainId, report);
  }

  /** The layer exists: keeps only what its archive is assembled from, unless there is a blob or another such layer. */
  async #adopt({ folder, report, isArchive }: UnpackedLayer, chainId: string): Promise<void> {
    const { diffId, length } = report;
    if (!isArchive || (await this.has(diffId))) return;
    this.#folders.adoptArchive(folder, chainId, { digest: diffId, length });
    this.#archives.add(chainId, report);
  }

  async hasLayer(chainId: string): Promise<boolean> {
    return this.#folders.hasLayer(chainId);
  }

  removeLayer(chainId: string): Promise<void> {
    return this.#queue.run(chainId, async () => {
      this.#archives.removeLayer(chainId);
      await this.#folders.removeLayer(chainId);
    });
  }

  async listLayers(): Promise<string[]> {
    return this.#folders.layers();
  }

  async layerSize(chainId: string): Promise<number> {
    return this.#folders.layerSize(chainId);
  }

  async compressed(digest: string): Promise<{ digest: string; size: number } | undefined> {
    return this.#archives.compressed(digest);
  }

  async recordCompressed(digest: string, blob: { digest: string; size: number }): Promise<void> {
    this.#archives.recordCompressed(digest, blob);
  }
}

/** OCI image-spec config.md, "Layer ChainID". */
function chainIdOf(below: string | undefined, diffId: string): string {
  if (below === undefined) return diffId;
  return `sha256:${createHash('sha256').update(`${below} ${diffId}`).digest('hex')}`;
}
