/**
 * Tracks which blobs and layers are needed and removes the others.
 *
 * Every operation that adds content (load, pull, import, creating a container) runs inside `adding`: nothing is removed
 * until the last of these has ended, so no operation loses content it found earlier. Content that became unneeded
 * meanwhile, including blobs of a failed load, is removed then. Content is needed when an image's record or a container
 * names it.
 *
 * Additions and removals are recorded first: after a crash only recorded content is examined, because content that no
 * record names may be content whose record was lost.
 */
import { type Logger, messageOf } from '@netyard/core';
import type { Descriptor, ImageContent, ImageStore } from '../ports.ts';

export interface Candidates {
  blobs: Iterable<string>;
  layers: Iterable<string>;
}

/** Content added by one operation; recorded, so that it is removed when the operation fails. */
export interface Adding {
  write: ImageContent['write'];
  unpack: ImageContent['unpack'];
}

const blobName = (digest: string): string => `blob ${digest}`;
const layerName = (chainId: string): string => `layer ${chainId}`;

export class ContentCollector {
  readonly #content: ImageContent;
  readonly #store: ImageStore;
  readonly #containerLayers: () => Iterable<string>;
  readonly #logger: Logger;
  #adders = 0;
  #sweeping: Promise<void> = Promise.resolve();
  readonly #blobs = new Set<string>();
  readonly #layers = new Set<string>();

  constructor(parts: {
    content: ImageContent;
    store: ImageStore;
    containerLayers: () => Iterable<string>;
    logger: Logger;
  }) {
    this.#content = parts.content;
    this.#store = parts.store;
    this.#containerLayers = parts.containerLayers;
    this.#logger = parts.logger;
  }

  /** Runs an operation that adds content. */
  async adding<T>(work: (adding: Adding) => Promise<T>): Promise<T> {
    while (this.#adders === 0) {
      const sweeping = this.#sweeping;
      await sweeping;
      if (sweeping === this.#sweeping) break; // none started while this one was waited for
    }
    this.#adders += 1;
    try {
      return await work({
        write: (expected, stream) => this.#write(expected, stream),
        unpack: (layer, parents, chainId) => {
          this.#addLayers([chainId]);
          return this.#content.unpack(layer, parents, chainId);
        },
      });
    } finally {
      this.#adders -= 1;
      this.#settle();
      await this.#sweep();
    }
  }

  async #write(
    expected: { digest?: string; size?: number; mediaType: string },
    stream: AsyncIterable<Uint8Array>,
  ): Promise<Descriptor> {
    if (expected.digest !== undefined) this.#addBlobs([expected.digest]);
    const descriptor = await this.#content.write(expected, stream);
    if (expected.digest === undefined) this.#addBlobs([descriptor.digest]);
    return descriptor;
  }

  /** Removes those candidates that are not needed, at once or when the running additions have ended. */
  async release(candidates: Candidates): Promise<void> {
    this.#addBlobs(candidates.blobs);
    this.#addLayers(candidates.layers);
    await this.#sweep();
  }

  /** What an image or a container already needs is neither unfinished nor removed, and gets no intent. */
  #addBlobs(digests: Iterable<string>): void {
    const { blobs } = this.#needed();
    for (const digest of digests) {
      this.#blobs.add(digest);
      if (!blobs.has(digest)) this.#store.putContentIntent(blobName(digest));
    }
  }

  #addLayers(chainIds: Iterable<string>): void {
    const { layers } = this.#needed();
    for (const chainId of chainIds) {
      this.#layers.add(chainId);
      if (!layers.has(chainId)) this.#store.putContentIntent(layerName(chainId));
    }
  }

  /** Ends the intents of what is needed by now, also while other work still adds content. */
  #settle(): void {
    if (this.#blobs.size + this.#layers.size === 0) return;
    const needed = this.#needed();
    const names = [
      ...[...this.#blobs].filter((digest) => needed.blobs.has(digest)).map(blobName),
      ...[...this.#layers].filter((chainId) => needed.layers.has(chainId)).map(layerName),
    ];
    for (const name of names) this.#store.deleteContentIntent(name);
  }

  /** Collects these, and what interrupted operations were adding or removing. */
  async collect(content: readonly string[]): Promise<void> {
    const names = new Set([...this.#store.contentIntents(), ...content]);
    const of = (kind: string): string[] =>
      [...names].filter((name) => name.startsWith(kind)).map((name) => name.slice(kind.length));
    await this.release({ blobs: of(blobName('')), layers: of(layerName('')) });
  }

  /** Names in the format of `collect`. */
  async unnamed(): Promise<string[]> {
    const [blobs, layers] = await Promise.all([this.#content.listBlobs(), this.#content.listLayers()]);
    const needed = this.#needed();
    const intents = new Set(this.#store.contentIntents());
    const names = [
      ...blobs.filter(({ digest }) => !needed.blobs.has(digest)).map(({ digest }) => blobName(digest)),
      ...layers.filter((chainId) => !needed.layers.has(chainId)).map(layerName),
    ];
    return names.filter((name) => !intents.has(name));
  }

  /** Whether an image or a container is based on this layer. */
  needsLayer(chainId: string): boolean {
    return this.#needed().layers.has(chainId);
  }

  #needed(): { blobs: Set<string>; layers: Set<string> } {
    const blobs = new Set<string>();
    const layers = new Set<string>(this.#containerLayers());
    for (const image of this.#store.images()) {
      blobs.add(image.configDigest);
      for (const layer of image.layers) {
        blobs.add(layer.digest);
        layers.add(layer.chainId);
      }
    }
    return { blobs, layers };
  }

  #sweep(): Promise<void> {
    this.#sweeping = this.#sweeping.then(async () => {
      if (this.#adders > 0 || this.#blobs.size + this.#layers.size === 0) return;
      await this.#content.discardUnused().catch((error: unknown) => {
        this.#logger.warn('discarding unused layers failed', { error: messageOf(error) });
      });
      const needed = this.#needed();
      const blobs = [...this.#blobs].filter((digest) => !needed.blobs.has(digest));
      const layers = [...this.#layers].filter((chainId) => !needed.layers.has(chainId));
      const candidates = [...[...this.#blobs].map(blobName), ...[...this.#layers].map(layerName)];
      this.#blobs.clear();
      this.#layers.clear();
      for (const digest of blobs) await this.#remove(this.#blobs, digest, () => this.#content.remove(digest));
      for (const chainId of layers) {
        await this.#remove(this.#layers, chainId, () => this.#content.removeLayer(chainId));
      }
      for (const name of candidates) if (!this.#isCandidate(name)) this.#store.deleteContentIntent(name);
    });
    return this.#sweeping;
  }

  /** Makes it a candidate again: it was added meanwhile, or its removal failed. */
  #isCandidate(name: string): boolean {
    return [...this.#blobs].map(blobName).includes(name) || [...this.#layers].map(layerName).includes(name);
  }

  /** A failed removal is retried at the next sweep. */
  async #remove(candidates: Set<string>, name: string, remove: () => Promise<void>): Promise<void> {
    try {
      await remove();
    } catch (error) {
      candidates.add(name);
      this.#logger.warn('removing unused content failed', { name, error: messageOf(error) });
    }
  }
}
