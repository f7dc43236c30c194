/** Image content (blobs and unpacked layers), and a registry that it is pulled from and pushed to. */

export interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
}

/** Blobs by digest and unpacked layers by chain id. A failure leaves nothing half-written. */
export interface ImageContent {
  has(digest: string): Promise<boolean>;
  /** Writes and verifies; throws `invalid` when the digest differs. Returns the descriptor. */
  write(
    expected: { digest?: string; size?: number; mediaType: string },
    stream: AsyncIterable<Uint8Array>,
  ): Promise<Descriptor>;
  /** @param isShortLived each chunk is valid until the next one is requested: less memory to allocate and to collect */
  read(digest: string, isShortLived?: boolean): AsyncIterable<Uint8Array>;
  readAll(digest: string, limit: number): Promise<Uint8Array>;
  remove(digest: string): Promise<void>;
  listBlobs(): Promise<Descriptor[]>;
  /**
   * Unpacks a layer (tar, gzip or zstd) onto its parent; no-op when the chain id exists and is whole. Returns the computed diff id.
   */
  unpack(layer: Descriptor, parents: readonly string[], chainId: string): Promise<{ diffId: string }>;
  /** Discards layers that were written and never unpacked. Call this when no operation is adding content. */
  discardUnused(): Promise<void>;
  /** False also for a layer that another program deleted or damaged: `unpack` restores it. */
  hasLayer(chainId: string): Promise<boolean>;
  removeLayer(chainId: string): Promise<void>;
  listLayers(): Promise<string[]>;
  layerSize(chainId: string): Promise<number>;
  /** What the archive of an uncompressed layer was compressed to last time, by the archive's digest. */
  compressed(digest: string): Promise<Omit<Descriptor, 'mediaType'> | undefined>;
  /** Remembers it for as long as the layer exists. */
  recordCompressed(digest: string, blob: Omit<Descriptor, 'mediaType'>): Promise<void>;
}

export interface RegistryCredentials {
  username?: string;
  password?: string;
  identityToken?: string;
  serverAddress?: string;
}

export interface RegistryReference {
  /** Host and optional port. */
  domain: string;
  path: string;
  /** Tag or digest. */
  reference: string;
}

/**
 * A v2 registry (distribution-spec). Errors start with the registry's own code as text, as Docker shows it: `not-found`
 * (`manifest unknown: …`, `name unknown: …`), `unauthorized`, `forbidden` (`denied: …`), `unavailable` (no connection:
 * `Get "https://…": dial tcp …`).
 */
export interface Registry {
  /** Manifest or index by tag or digest; a digest is verified. */
  resolve(
    ref: RegistryReference,
    credentials: RegistryCredentials,
    signal?: AbortSignal,
  ): Promise<Descriptor & { body: Uint8Array }>;
  /** The same, for a manifest of an index. */
  fetchManifest(
    ref: RegistryReference,
    credentials: RegistryCredentials,
    signal?: AbortSignal,
  ): Promise<Descriptor & { body: Uint8Array }>;
  /** Not verified; resumes when the connection breaks. */
  fetchBlob(
    ref: RegistryReference,
    digest: string,
    credentials: RegistryCredentials,
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array>;
  hasBlob(
    ref: RegistryReference,
    digest: string,
    credentials: RegistryCredentials,
    signal?: AbortSignal,
  ): Promise<boolean>;
  pushBlob(
    ref: RegistryReference,
    blob: Descriptor,
    body: AsyncIterable<Uint8Array>,
    credentials: RegistryCredentials,
    signal?: AbortSignal,
  ): Promise<void>;
  /** The same for a blob whose digest is known only at its end. */
  pushStream(
    ref: RegistryReference,
    body: AsyncIterable<Uint8Array>,
    credentials: RegistryCredentials,
    signal: AbortSignal,
  ): Promise<Omit<Descriptor, 'mediaType'>>;
  pushManifest(
    ref: RegistryReference,
    mediaType: string,
    body: Uint8Array,
    credentials: RegistryCredentials,
    signal?: AbortSignal,
  ): Promise<{ digest: string }>;
}
