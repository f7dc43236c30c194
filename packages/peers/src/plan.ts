/**
 * The plan of a peer: a route for each of its subnets, and set elements that accept packets from the subnet to this host's
 * containers and exempt packets to the subnet from masquerading, on the interface towards the peer. Through the tunnel
 * also a neighbour entry (the peer's MAC) and a forwarding entry (the host behind that MAC). Besides the elements these
 * are three objects for a peer with one subnet, independent of the number of peers. Pure.
 */
import type { KernelObject, NftElementObject, RouteObject } from '@netyard/kernel';
import type { PeerPath, PeerRecord } from './contract.ts';
import { outerFamilyOf } from './outer-family.ts';
import { commentOf, element, ipv6PeerTable, type PeerSetTable, peerTable } from './sets.ts';
import { ipv6Gateway, tunnelLinkTo, tunnelMac } from './tunnel.ts';
import { tunnelTable } from './tunnel-table.ts';

/** Identifies Netyard's routes (rtm_protocol); not assigned in iproute2's rt_protos. */
export const peerProtocol = 78;

type PlannedPeer = Pick<PeerRecord, 'name' | 'address' | 'subnets' | 'via' | 'network'>;

/** @param options.ipv6Parts the peer's host has parts of networks with IPv6, which are reached through the tunnel */
export function planPeer(
  peer: PlannedPeer,
  path: PeerPath,
  { ipv6Parts }: { ipv6Parts: boolean } = { ipv6Parts: false },
): KernelObject[] {
  const { address, subnets } = peer;
  const comment = commentOf(peer.name);
  const own = subnets.flatMap((subnet) => [
    ...(isTunnelledOverIpv6(peer, subnet) ? [element('tunnel_subnets', keyOf(subnet), comment, tunnelTable)] : []),
    ...planSubnet(subnet, linksIn(peer, subnet, path), path.link, comment),
  ]);
  const routes = subnets.map((subnet) => planRoute(subnet, path));
  // The tunnel's entries are those of the peer without a network, which has the same address.
  if (peer.network !== undefined) return [...own, ...routes];
  return [
    ...(peer.via === 'route' ? [] : [element('tunnel_peers', address, comment, outerTableOf(address))]),
    ...own,
    ...(path.kind === 'vxlan' || ipv6Parts ? planTunnelEntries(address, { ipv6: hasIpv6(peer) || ipv6Parts }) : []),
    ...routes,
  ];
}

/** Whether packets with IPv6 addresses of the subnet may arrive through the tunnel over IPv6. */
const isTunnelledOverIpv6 = ({ address, via }: PlannedPeer, subnet: string): boolean =>
  via !== 'route' && isIpv6(subnet) && outerFamilyOf(address) === 'v6';

/** As nft(8) prints a subnet: one of a single address without its length. */
const keyOf = (subnet: string): string => subnet.replace(subnet.includes(':') ? /\/128$/ : /\/32$/, '');

const outerTableOf = (address: string): typeof peerTable | typeof tunnelTable =>
  outerFamilyOf(address) === 'v4' ? peerTable : tunnelTable;

/**
 * The tunnel's entries for a peer's host: its MAC, and the gateways of its routes, which lead to the MAC.
 * @param options.ipv6 there are routes to IPv6 subnets
 */
export function planTunnelEntries(address: string, { ipv6 }: { ipv6: boolean }): KernelObject[] {
  const [link, mac] = [tunnelLinkTo(address), tunnelMac(address)];
  const isOverIpv4 = outerFamilyOf(address) === 'v4';
  const gateways = [...(isOverIpv4 ? [address] : []), ...(ipv6 || !isOverIpv4 ? [ipv6Gateway(address)] : [])];
  return [
    { kind: 'fdb', link, mac, remote: address },
    ...gateways.map((gateway) => ({ kind: 'neighbour', link, address: gateway, mac }) as const),
  ];
}

/** Routes through the tunnel have an IPv6 gateway, except those to IPv4 subnets of a peer with an IPv4 address. */
export const needsIpv6Gateway = (peer: Pick<PeerRecord, 'address' | 'subnets'>): boolean =>
  outerFamilyOf(peer.address) === 'v6' || hasIpv6(peer);

/**
 * A peer with an IPv4 address and IPv6 subnets is reached through the tunnel: an IPv4 address cannot be the next hop of an
 * IPv6 route. The other direction works (RFC 8950).
 */
export const needsTunnel = (peer: Pick<PeerRecord, 'address' | 'subnets'>): boolean =>
  outerFamilyOf(peer.address) === 'v4' && hasIpv6(peer);

export const hasIpv6 = ({ subnets }: Pick<PeerRecord, 'subnets'>): boolean => subnets.some(isIpv6);

const isIpv6 = (subnet: string): boolean => subnet.includes(':');

/**
 * Input interfaces accepted for packets of a peer's subnet. Each side chooses its path from its own routes, so on a shared
 * link both paths are accepted, unless `via` is route. Packets of a peer behind routers are accepted from the tunnel only,
 * as are those of IPv6 subnets of a peer that has an IPv4 address.
 */
function linksIn({ address, via }: PlannedPeer, subnet: string, { shared, uplink }: PeerPath): string[] {
  const isRoutable = shared && (!isIpv6(subnet) || outerFamilyOf(address) === 'v6');
  return [...(isRoutable ? [uplink] : []), ...(via === 'route' ? [] : [tunnelLinkTo(address)])];
}

/**
 * An interval set of subnets costs the kernel more the more elements it has, in particular when the interface, which all
 * elements share, is the first part of the key: with a thousand elements a deletion takes 45 ms, and 5 ms with the
 * address first. A hash table takes 0.2 ms, and its lookup is faster. Therefore /24 and /64, the default lengths of subnets
 * in a cluster, have hash tables; the counting ones are looked up for every packet, so their key is the address alone.
 */
function planSubnet(subnet: string, from: readonly string[], to: string, comment: string): NftElementObject[] {
  const [start = '', length] = subnet.split('/');
  const [table, hashed] = isIpv6(subnet) ? ([ipv6PeerTable, '64'] as const) : ([peerTable, '24'] as const);
  const where = [comment, table] as const;
  if (length !== hashed) return planInterval(keyOf(subnet), from, to, where);
  return [
    ...from.map((link) => element(`peer_ingress_${hashed}`, `"${link}" . ${start}`, ...where)),
    element(`peer_egress_${hashed}`, `"${to}" . ${start}`, ...where),
    element(`peer_packets_in_${hashed}`, start, ...where),
    element(`peer_packets_out_${hashed}`, start, ...where),
  ];
}

function planInterval(
  subnet: string,
  from: readonly string[],
  to: string,
  where: readonly [comment: string, table: PeerSetTable],
): NftElementObject[] {
  const key = (link: string): string => `${subnet} . "${link}"`;
  return [
    ...from.map((link) => element('peer_ingress', key(link), ...where)),
    element('peer_egress', key(to), ...where),
  ];
}

/** The source address of the host's own packets to the peer's containers is the bridge's, which the peer accepts. */
function planRoute(subnet: string, { kind, link, gateway, source, ipv6Source }: PeerPath): RouteObject {
  const isTunnelled = kind === 'vxlan';
  const hasOwnGateway = isTunnelled && (isIpv6(subnet) || outerFamilyOf(gateway) === 'v6');
  const own = isIpv6(subnet) ? ipv6Source : source;
  return {
    kind: 'route',
    to: subnet,
    via: hasOwnGateway ? ipv6Gateway(gateway) : gateway,
    link,
    ...(isTunnelled && !hasOwnGateway ? { onlink: true } : {}),
    ...(own === undefined ? {} : { source: own }),
    protocol: peerProtocol,
  };
}
