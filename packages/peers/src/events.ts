/** Maps a kernel event to the peer it concerns, without a scan of all peers. Pure. */
import { formatIp, ipFromBytes, parsePrefix } from '@netyard/core';
import type { KernelEvent } from '@netyard/kernel';
import { peerSets } from '../plan/peer.ts';
import { addressOfMac, tunnelMac } from '../tunnel.ts';
import type { Peer, PeerTable } from './table.ts';

/** Size of an interface name in a key (IFNAMSIZ): before the address, or after it in sets with prefixes. */
const nameLength = 16;
const addressFirst: readonly (string | undefined)[] = ['peer_paths', 'peer_targets'];

export const isPeerSet = (set: string | undefined): boolean => peerSets.some((known) => known === set);

/** Names of the peers that own these elements. */
export function peersOfElement(peers: PeerTable, { set, keys }: Extract<KernelEvent, { type: 'nft' }>): string[] {
  return (keys ?? []).flatMap((key) => {
    if (set === 'tunnel_peers') return peers.findByAddress(formatIp(ipFromBytes(key)))?.record.name ?? [];
    const start = key.length === 4 || addressFirst.includes(set) ? 0 : nameLength;
    const address = key.subarray(start, start + 4);
    if (address.length !== 4) return [];
    return peers.findBySubnet(formatIp(ipFromBytes(address)))?.record.name ?? [];
  });
}

/** Name of the peer with exactly this subnet. */
export function peerOfRoute(peers: PeerTable, to: string): string | undefined {
  if (!to.includes('.') || !to.includes('/')) return undefined;
  const peer = peers.findBySubnet(formatIp(parsePrefix(to)));
  return peer?.record.subnets.includes(to) ? peer.record.name : undefined;
}

type TunnelEvent = Extract<KernelEvent, { type: 'neighbour' | 'fdb' }>;

/** Name of the peer whose tunnel entry was deleted or differs from the plan. */
export function peerOfTunnelEvent(peers: PeerTable, event: TunnelEvent): string | undefined {
  const address = event.type === 'neighbour' ? event.address : addressOfMac(event.mac);
  const peer = address === undefined ? undefined : peers.findByAddress(address);
  if (peer?.path?.kind !== 'vxlan') return undefined;
  return event.action === 'new' && isAsPlanned(peer, event) ? undefined : peer.record.name;
}

const isAsPlanned = ({ record: { address } }: Peer, event: TunnelEvent): boolean =>
  event.type === 'fdb' ? event.remote === address : event.permanent && event.mac === tunnelMac(address);
