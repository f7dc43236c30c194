/**
 * Which blobs and layers are still needed, and the removal of the others.
 *
 * Whatever adds content (load, pull, import, a container being made) does so inside `adding`: until the last of these
 * has ended nothing is removed, so nobody loses what he found there a moment ago. What became needless meanwhile, a
 * failed load's blobs included, goes then. Needed is what an image's record or a container names.
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

export class ContentLedger {
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
    if (expected.digest !== undefined) this.#blobs.add(expected.digest);
    const descriptor = await this.#content.write(expected, stream);
    this.#blobs.add(descriptor.digest);
    return descriptor;
  }

  /** Removes those of the candidates that nothing needs; now, or when what is being added has been. */
  async release(candidates: Candidates): Promise<void> {
    for (const digest of candidates.blobs) this.#blobs.add(digest);
    for (const chainId of candidates.layers) this.#layers.add(chainId);
    await this.#sweep();
  }

  /** Everything there is becomes a candidate: for the start, after a crash. */
  async releaseAll(): Promise<void> {
    const [blobs, layers] = await Promise.all([this.#content.listBlobs(), this.#content.listLayers()]);
    await this.release({ blobs: blobs.map(({ digest }) => digest), layers });
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
      this.#blobs.clear();
      this.#layers.clear();
      for (const digest of blobs) await this.#remove(this.#blobs, digest, () => this.#content.remove(digest));
      for (const chainId of layers) {
        await this.#remove(this.#layers, chainId, () => this.#content.removeLayer(chainId));
      }
    });
    return this.#sweeping;
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
