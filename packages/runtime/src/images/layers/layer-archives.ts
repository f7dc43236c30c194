/**
 * Layers whose archive is not stored as a blob: it is assembled from the unpacked files (assemble.ts). A layer that arrives
 * uncompressed is unpacked at once, before its parents are known, into a temporary directory that is renamed later.
 */
import type { OverlayFolders } from '../overlay-folders.ts';
import { assembleLayer } from './assemble.ts';
import type { LayerReport } from './layer-writer.ts';

export interface UnpackedLayer {
  /** Temporary directory with `diff`. */
  folder: string;
  report: LayerReport;
  /** It is kept as an archive without a blob. */
  isArchive: boolean;
}

export class LayerArchives {
  readonly #folders: OverlayFolders;
  /** Unpacked, without a chain id yet, by digest. */
  readonly #unpacked = new Map<string, UnpackedLayer>();
  /** The same of compressed layers, which stay blobs, by the blob's digest. */
  readonly #fromBlobs = new Map<string, UnpackedLayer>();
  /** Chain ids of layers with an archive, by digest; the same layer may be on top of several others. */
  #layers: Map<string, { chainIds: Set<string>; length: number }> | undefined;

  constructor(folders: OverlayFolders) {
    this.#folders = folders;
  }

  /** Length of the archive; undefined without such a layer. */
  find(digest: string): number | undefined {
    const unpacked = this.#unpacked.get(digest);
    if (unpacked) return unpacked.report.length;
    return this.#wholeLayer(digest) === undefined ? undefined : this.#index().get(digest)?.length;
  }

  /** Chain id of a layer with this archive that no other program has damaged. */
  #wholeLayer(digest: string): string | undefined {
    const { chainIds = [] } = this.#index().get(digest) ?? {};
    return [...chainIds].find((chainId) => this.#folders.hasLayer(chainId));
  }

  /** @param isShortLived as of `assembleLayer` */
  read(digest: string, isShortLived: boolean): AsyncIterable<Uint8Array> | undefined {
    const unpacked = this.#unpacked.get(digest);
    const chainId = this.#wholeLayer(digest);
    if (unpacked) return assembleLayer(unpacked.folder, digest, isShortLived);
    return chainId === undefined ? undefined : assembleLayer(this.#folders.layer(chainId), digest, isShortLived);
  }

  /** Returns false when there is one with this digest. */
  keep(layer: UnpackedLayer): boolean {
    const { diffId } = layer.report;
    if (this.find(diffId) !== undefined) return false;
    this.#unpacked.set(diffId, layer);
    return true;
  }

  /** The same of a layer whose archive is this blob. */
  keepFromBlob(digest: string, layer: UnpackedLayer): boolean {
    if (this.#fromBlobs.has(digest)) return false;
    this.#fromBlobs.set(digest, layer);
    return true;
  }

  take(digest: string): UnpackedLayer | undefined {
    const layers = this.#unpacked.has(digest) ? this.#unpacked : this.#fromBlobs;
    const layer = layers.get(digest);
    layers.delete(digest);
    return layer;
  }

  takeAll(): UnpackedLayer[] {
    const all = [...this.#unpacked.values(), ...this.#fromBlobs.values()];
    this.#unpacked.clear();
    this.#fromBlobs.clear();
    return all;
  }

  /** Whether the layer with this chain id has this archive, and is whole. */
  isLayer(digest: string, chainId: string): boolean {
    return this.#index().get(digest)?.chainIds.has(chainId) === true && this.#folders.hasLayer(chainId);
  }

  /** Call this when a layer with an archive got its final path. */
  add(chainId: string, { diffId, length }: LayerReport): void {
    const known = this.#index().get(diffId) ?? { chainIds: new Set<string>(), length };
    known.chainIds.add(chainId);
    this.#index().set(diffId, known);
  }

  removeLayer(chainId: string): void {
    for (const [digest, { chainIds }] of this.#index()) {
      if (chainIds.delete(chainId) && chainIds.size === 0) this.#index().delete(digest);
    }
  }

  /** What the archive was compressed to, when that was recorded; undefined for archives that are blobs, too. */
  compressed(digest: string): { digest: string; size: number } | undefined {
    for (const chainId of this.#index().get(digest)?.chainIds ?? []) {
      const blob = this.#folders.compressedArchive(chainId);
      if (blob) return blob;
    }
    return undefined;
  }

  recordCompressed(digest: string, blob: { digest: string; size: number }): void {
    for (const chainId of this.#index().get(digest)?.chainIds ?? []) this.#folders.recordCompressed(chainId, blob);
  }

  #index(): Map<string, { chainIds: Set<string>; length: number }> {
    if (this.#layers) return this.#layers;
    const layers = new Map<string, { chainIds: Set<string>; length: number }>();
    this.#layers = layers;
    for (const chainId of this.#folders.layers()) {
      const archive = this.#folders.layerArchive(chainId);
      if (archive === undefined) continue;
      const known = layers.get(archive.digest) ?? { chainIds: new Set<string>(), length: archive.length };
      known.chainIds.add(chainId);
      layers.set(archive.digest, known);
    }
    return layers;
  }
}
