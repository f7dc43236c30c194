/** Maps a kernel event to the peers it concerns: without a scan of all peers, except for events of links. Pure. */
import { formatIp, ipFromBytes, parsePrefix } from '@netyard/core';
import type { KernelEvent } from '@netyard/kernel';
import type { ReconcileScope } from './contract.ts';
import { mainTable } from './host-view.ts';
import { peerProtocol } from './plan.ts';
import { isPeerSet, peerTable } from './sets.ts';
import type { Peer, PeerTable } from './table.ts';
import { macOfGateway, tunnelMac } from './tunnel.ts';
import { tunnelTable } from './tunnel-table.ts';

/** Size of an interface name in a key (IFNAMSIZ): before the address, or after it in sets with prefixes. */
const nameLength = 16;
const addressFirst: readonly (string | undefined)[] = ['peer_ingress', 'peer_egress'];

/** The address in the key of a set: alone, or beside an interface's name. Empty in a key of another form. */
function addressIn(set: string | undefined, key: Uint8Array): Uint8Array {
  const isAlone = key.length === 4 || key.length === 16;
  const length = isAlone ? key.length : key.length - nameLength;
  if (length !== 4 && length !== 16) return new Uint8Array();
  const start = isAlone || addressFirst.includes(set) ? 0 : nameLength;
  return key.subarray(start, start + length);
}

/** Names of the peers that own these elements. */
export function peersOfElement(peers: PeerTable, { set, keys }: Extract<KernelEvent, { type: 'nft' }>): string[] {
  return (keys ?? []).flatMap((key) => {
    if (set === 'tunnel_peers') return peers.findByAddress(formatIp(ipFromBytes(key)))?.record.name ?? [];
    const address = addressIn(set, key);
    if (address.length === 0) return [];
    return peers.findBySubnet(formatIp(ipFromBytes(address)))?.record.name ?? [];
  });
}

/** Name of the peer with exactly this subnet. */
function peerOfRoute(peers: PeerTable, to: string): string | undefined {
  if (!to.includes('/')) return undefined;
  const peer = peers.findBySubnet(formatIp(parsePrefix(to)));
  return peer?.record.subnets.includes(to) ? peer.record.name : undefined;
}

type TunnelEvent = Extract<KernelEvent, { type: 'neighbour' | 'fdb' }>;

/** Name of the peer whose tunnel entry was deleted or differs from the plan. */
function peerOfTunnelEvent(peers: PeerTable, event: TunnelEvent): string | undefined {
  const mac = event.type === 'neighbour' ? macOfGateway(event.address) : event.mac;
  const peer = mac === undefined ? undefined : peers.findByMac(mac);
  if (peer?.path === undefined) return undefined;
  if (peer.path.kind !== 'vxlan' && !peers.hasIpv6Parts(peer)) return undefined;
  return event.action === 'new' && isAsPlanned(peer, event) ? undefined : peer.record.name;
}

const isAsPlanned = ({ record: { address } }: Peer, event: TunnelEvent): boolean =>
  event.type === 'fdb' ? event.remote === address : event.permanent && event.mac === tunnelMac(address);

type RouteEvent = Extract<KernelEvent, { type: 'route' }>;
type NftEvent = Extract<KernelEvent, { type: 'nft' }>;

const isForeignRoute = ({ table, protocol }: RouteEvent): boolean =>
  (table === undefined || table === mainTable) && protocol !== peerProtocol;

/** Whether dumps of the host's interfaces, addresses and routes are stale after the event. */
export const changesHost = (event: KernelEvent): boolean =>
  event.type === 'link' || event.type === 'address' || (event.type === 'route' && isForeignRoute(event));

/** See `Peers.affectedBy`. `tunnelIndexes` are the ifindexes of the tunnels' interfaces. */
export function scopeOf(
  peers: PeerTable,
  event: KernelEvent,
  tunnelIndexes: readonly number[],
): ReconcileScope | undefined {
  if (peers.size === 0 && peers.refused.size === 0) return undefined;
  switch (event.type) {
    case 'link':
      return isOnPath(peers, event.name) ? 'all' : 'paths';
    case 'route':
      return scopeOfRoute(peers, event);
    case 'nft':
      return scopeOfNft(peers, event);
    case 'neighbour':
    case 'fdb':
      return named(tunnelIndexes.includes(event.linkIndex) ? [peerOfTunnelEvent(peers, event)] : []);
    case 'netconf':
      return undefined;
    default:
      return 'all';
  }
}

/** When an interface goes down, the kernel deletes its routes without events. */
const isOnPath = (peers: PeerTable, link: string): boolean =>
  [...peers.values()].some(({ path }) => path?.link === link || path?.uplink === link);

function scopeOfRoute(peers: PeerTable, event: RouteEvent): ReconcileScope | undefined {
  if (event.table !== undefined && event.table !== mainTable) return undefined;
  if (isForeignRoute(event)) return 'paths';
  return named(event.action === 'del' ? [peerOfRoute(peers, event.to)] : []);
}

/** The caller repairs the tables `netyard` itself, not that of the tunnel. */
function scopeOfNft(peers: PeerTable, event: NftEvent): ReconcileScope | undefined {
  const { table, what, action, set } = event;
  if (table !== peerTable.table && table !== tunnelTable.table) return undefined;
  if (what !== 'element') return table === tunnelTable.table ? 'all' : undefined;
  return named(action === 'del' && isPeerSet(set) ? peersOfElement(peers, event) : []);
}

function named(names: readonly (string | undefined)[]): ReconcileScope | undefined {
  const known = names.filter((name) => name !== undefined);
  return known.length === 0 ? undefined : new Set(known);
}
