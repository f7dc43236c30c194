/** Decides which clients may connect to a relayed port. Pure. */
import { ipFromBytes, parsePrefix, prefixContains } from '@netyard/core';
import type { RelayTarget } from '../../contract.ts';

/** The address is a struct sockaddr_in6. */
export type ClientFilter = (address: Uint8Array) => boolean;

export function clientFilter({ clients }: RelayTarget): ClientFilter {
  if (clients === undefined) return () => true;
  const prefix = parsePrefix(clients);
  return (address) => prefixContains(prefix, ipFromBytes(address.subarray(8, 24)));
}
