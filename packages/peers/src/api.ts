/** Validates the API of a peer: an https address and three absolute paths. Pure. */
import { isAbsolute } from 'node:path';
import { NetyardError } from '@netyard/core';
import type { PeerApi } from './contract.ts';

const invalid = (message: string, hint: string): NetyardError => new NetyardError('invalid', message, { hint });

/** Returns the API with its URL in canonical form, including the port. Throws `invalid`. */
export function checkPeerApi({ url, ca, certificate, key }: PeerApi): PeerApi {
  const form = 'write https://HOST:2376';
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw invalid(`invalid address of a peer's API: ${url}`, form);
  }
  if (parsed.protocol !== 'https:') throw invalid(`a peer's API requires TLS with client certificates: ${url}`, form);
  const isBare = parsed.pathname === '/' && parsed.search === '' && parsed.hash === '' && parsed.username === '';
  if (!isBare || parsed.hostname === '') throw invalid(`invalid address of a peer's API: ${url}`, form);
  for (const [flag, path] of Object.entries({ '--api-ca': ca, '--api-cert': certificate, '--api-key': key }))
    if (!isAbsolute(path) || /\p{Cc}/u.test(path))
      throw invalid(`a peer's API needs ${flag} with an absolute path: ${JSON.stringify(path)}`, `give ${flag} FILE`);
  return { url: `https://${parsed.hostname}:${parsed.port || '2376'}`, ca, certificate, key };
}
