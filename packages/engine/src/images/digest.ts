/** Digests of blobs and of chains of layers. OCI image-spec, descriptor.md and config.md. Pure. */
import { createHash } from 'node:crypto';

export function digestOf(data: Uint8Array | string): string {
  return `sha256:${createHash('sha256').update(data).digest('hex')}`;
}

/** First 12 hexadecimal digits, as progress lines show it. */
export function shortDigest(digest: string): string {
  return digest.slice(digest.indexOf(':') + 1, digest.indexOf(':') + 13);
}

/**
 * The chain id of each layer: its own diff id for the lowest one, otherwise a digest of the chain id below and its diff
 * id.
 */
export function chainIdsOf(diffIds: readonly string[]): string[] {
  const chain: string[] = [];
  for (const diffId of diffIds) {
    const below = chain.at(-1);
    chain.push(below === undefined ? diffId : digestOf(`${below} ${diffId}`));
  }
  return chain;
}
