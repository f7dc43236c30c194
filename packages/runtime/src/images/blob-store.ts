/** The content store that images need; `containerd-blobs.ts` implements it. */
/** The required operations of containerd's content store. */
export interface BlobStore {
  info(digest: string): Promise<BlobInfo | undefined>;
  list(): Promise<BlobInfo[]>;
  /**
   * Ingests under `ref` and commits with these labels; no error when the blob exists already. Fails on a wrong digest
   * or size.
   */
  write(request: {
    ref: string;
    expectedDigest?: string;
    expectedSize?: number;
    labels: Record<string, string>;
    stream: AsyncIterable<Uint8Array>;
  }): Promise<{ digest: string; size: number }>;
  read(digest: string): AsyncIterable<Uint8Array>;
  /** No error when it does not exist. */
  delete(digest: string): Promise<void>;
  /** Aborts writes that will never be finished, by the prefix of their `ref`. */
  abandonWrites(refPrefix: string): Promise<void>;
}

export interface BlobInfo {
  digest: string;
  size: number;
  labels: Record<string, string>;
}
