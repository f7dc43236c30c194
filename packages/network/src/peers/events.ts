/** Which peer an event of the kernel is about, found without looking at the others. Pure. */
import { formatIp, ipFromBytes, parsePrefix } from '@netyard/core';
import type { KernelEvent } from '@netyard/kernel';
import { peerSets } from '../plan/peer.ts';
import { addressOfMac, tunnelMac } from '../tunnel.ts';
import type { Peer, PeerTable } from './table.ts';

/** Bytes of a link's name in a key (IFNAMSIZ): before the address, or behind it where subnets have any length. */
const nameLength = 16;
const addressFirst: readonly (string | undefined)[] = ['peer_paths', 'peer_targets'];

export const isPeerSet = (set: string | undefined): boolean => peerSets.some((known) => known === set);

/** Names of the peers whose elements these were. */
export function peersOfElement(peers: PeerTable, { set, keys }: Extract<KernelEvent, { type: 'nft' }>): string[] {
  return (keys ?? []).flatMap((key) => {
    if (set === 'tunnel_peers') return peers.withAddress(formatIp(ipFromBytes(key)))?.record.name ?? [];
    const start = key.length === 4 || addressFirst.includes(set) ? 0 : nameLength;
    const address = key.subarray(start, start + 4);
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

type TunnelEvent = Extract<KernelEvent, { type: 'neighbour' | 'fdb' }>;

/** Name of the peer whose entry on the tunnel was taken away or is no longer as it has to be. */
export function peerOfTunnelEvent(peers: PeerTable, event: TunnelEvent): string | undefined {
  const address = event.type === 'neighbour' ? event.address : addressOfMac(event.mac);
  const peer = address === undefined ? undefined : peers.withAddress(address);
  if (peer?.path?.kind !== 'vxlan') return undefined;
  return event.action === 'new' && isAsPlanned(peer, event) ? undefined : peer.record.name;
}

const isAsPlanned = ({ record: { address } }: Peer, event: TunnelEvent): boolean =>
  event.type === 'fdb' ? event.remote === address : event.permanent && event.mac === tunnelMac(address);
