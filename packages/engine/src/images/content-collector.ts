/**
 * Which blobs and layers are still needed, and the removal of the others.
 *
 * Whatever adds content (load, pull, import, a container being made) does so inside `adding`: until the last of these
 * has ended nothing is removed, so nobody loses what he found there a moment ago. What became needless meanwhile, a
 * failed load's blobs included, goes then. Needed is what an image's record or a container names.
 *
 * What is added or removed is written down first: after a crash only that is looked at. Content that no record names
 * may as well be content whose record was lost.
 */
import { type Logger, messageOf } from '@netyard/core';
import type { Descriptor, ImageContent, ImageStore } from '../ports.ts';

export interface Candidates {
  blobs: Iterable<string>;
  layers: Iterable<string>;
}

/** Content as one piece of work adds it; remembered, so that it goes when the work fails. */
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

  /** Runs work that adds content. */
  async adding<T>(work: (adding: Adding) => Promise<T>): Promise<T> {
    while (this.#adders === 0) {
      const sweeping = this.#sweeping;
      await sweeping;
      if (sweeping === this.#sweeping) break; // none began while this one was waited for
    }
    this.#adders += 1;
    try {
      return await work({
        write: (expected, stream) => this.#write(expected, stream),
        unpack: (layer, parents, chainId) => {
          this.#layers.add(chainId);
          this.#store.putContentIntent(layerName(chainId));
          return this.#content.unpack(layer, parents, chainId);
        },
      });
    } finally {
      this.#adders -= 1;
      await this.#sweep();
    }
  }

  async #write(
    expected: { digest?: string; size?: number; mediaType: string },
    stream: AsyncIterable<Uint8Array>,
  ): Promise<Descriptor> {
    if (expected.digest !== undefined) this.#addBlob(expected.digest);
    const descriptor = await this.#content.write(expected, stream);
    if (expected.digest === undefined) this.#addBlob(descriptor.digest);
    return descriptor;
  }

  /** Removes those of the candidates that nothing needs; now, or when what is being added has been. */
  async release(candidates: Candidates): Promise<void> {
    for (const digest of candidates.blobs) this.#addBlob(digest);
    for (const chainId of candidates.layers) {
      this.#layers.add(chainId);
      this.#store.putContentIntent(layerName(chainId));
    }
    await this.#sweep();
  }

  #addBlob(digest: string): void {
    this.#blobs.add(digest);
    this.#store.putContentIntent(blobName(digest));
  }

  /** These, and what work that was cut short was adding or removing. */
  async collect(content: readonly string[]): Promise<void> {
    const names = new Set([...this.#store.contentIntents(), ...content]);
    const of = (kind: string): string[] =>
      [...names].filter((name) => name.startsWith(kind)).map((name) => name.slice(kind.length));
    await this.release({ blobs: of(blobName('')), layers: of(layerName('')) });
  }

  /** In the words of `collect`. */
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

  /** Whether an image or a container stands on this layer. */
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

  /** Again: it was added meanwhile, or could not be removed. */
  #isCandidate(name: string): boolean {
    return [...this.#blobs].map(blobName).includes(name) || [...this.#layers].map(layerName).includes(name);
  }

  /** What cannot be removed is tried again at the next sweep. */
  async #remove(candidates: Set<string>, name: string, remove: () => Promise<void>): Promise<void> {
    try {
      await remove();
    } catch (error) {
      candidates.add(name);
      this.#logger.warn('content that nothing needs could not be removed', { name, error: messageOf(error) });
    }
  }
}
