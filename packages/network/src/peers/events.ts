/** Which peer an event of the kernel is about, found without looking at the others. Pure. */
import { formatIp, ipFromBytes, parsePrefix } from '@netyard/core';
import type { KernelEvent } from '@netyard/kernel';
import type { PeerTable } from './table.ts';

/** Bytes of a link's name in a key (IFNAMSIZ), before the address. */
const nameLength = 16;

export const isPeerSet = (set: string | undefined): boolean => set === 'peer_paths';

/** Names of the peers whose elements these were. */
export function peersOfElement(peers: PeerTable, { keys }: Extract<KernelEvent, { type: 'nft' }>): string[] {
  return (keys ?? []).flatMap((key) => {
    const address = key.subarray(nameLength, nameLength + 4);
    if (address.length !== 4) return [];
    return peers.behind(formatIp(ipFromBytes(address)))?.record.name ?? [];
  });
}

/** Name of the peer that wants a route to exactly this destination. */
export function peerOfRoute(peers: PeerTable, to: string): string | undefined {
  if (!to.includes('.') || !to.includes('/')) return undefined;
  const peer = peers.behind(formatIp(parsePrefix(to)));
  return peer?.record.subnets.includes(to) ? peer.record.name : undefined;
}
