/** Digests of blobs and of chains of layers. OCI image-spec, descriptor.md and config.md. Pure. */
import { createHash } from 'node:crypto';
import { NetyardError } from '@netyard/core';

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

const digestPattern = /^[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[a-zA-Z0-9=_-]+$/;
/** Hexadecimal digits of the algorithms that Docker knows. */
const digits: Readonly<Record<string, number>> = { sha256: 64, sha384: 96, sha512: 128 };

/** Why a text is no digest, in Docker's words; undefined if it is one. */
export function digestProblem(text: string): string | undefined {
  if (!digestPattern.test(text)) return 'invalid checksum digest format';
  const [algorithm = '', encoded = ''] = text.split(':');
  const length = digits[algorithm];
  if (length === undefined) return 'unsupported digest algorithm';
  if (encoded.length !== length) return 'invalid checksum digest length';
  return /^[0-9a-f]+$/.test(encoded) ? undefined : 'invalid checksum digest format';
}

/** Throws `invalid` for what is no digest, and for algorithms other than that of the content store. */
export function checkBlobDigest(kind: 'config' | 'layer' | 'manifest', digest: string): void {
  const problem = digestProblem(digest) ?? (digest.startsWith('sha256:') ? undefined : 'unsupported digest algorithm');
  if (problem === undefined) return;
  throw new NetyardError('invalid', `could not validate ${kind} digest ${JSON.stringify(digest)}: ${problem}`);
}
