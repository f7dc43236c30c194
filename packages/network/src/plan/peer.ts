/**
 * The plan of a peer: the tutorial's two steps, in their modern shape. A route for each of its subnets, and elements that
 * let packets of that subnet through to our containers, and ours through to it untranslated, on the link where the peer
 * is. Through the tunnel also: which MAC the peer has there, and behind which host that MAC is. Three objects for each
 * peer with one subnet, besides the elements, however many peers there are. Pure.
 */
import type { KernelObject, NftElementObject, RouteObject } from '@netyard/kernel';
import type { PeerPath, PeerRecord } from '../contract.ts';
import { element, type NetyardSet } from '../firewall/table.ts';
import { tunnelLink, tunnelMac } from '../tunnel.ts';

/** Tells our routes (rtm_protocol); nobody in iproute2's rt_protos has it. */
export const peerProtocol = 78;

/** Sets whose elements count what comes from peers, and what goes there. */
export const countingIn = ['peer_packets_in_24', 'peer_paths'] as const satisfies readonly NetyardSet[];
export const countingOut = ['peer_packets_out_24', 'peer_targets'] as const satisfies readonly NetyardSet[];
/** Sets whose elements are peers'. */
export const peerSets = [
  'tunnel_peers',
  'peer_paths_24',
  'peer_targets_24',
  ...countingIn,
  ...countingOut,
] as const satisfies readonly NetyardSet[];

const commentPrefix = 'peer ';

export const isPeerComment = (comment: string | undefined): boolean => comment?.startsWith(commentPrefix) === true;

export const nameOfComment = (comment: string): string => comment.slice(commentPrefix.length);

type PlannedPeer = Pick<PeerRecord, 'name' | 'address' | 'subnets' | 'via'>;

export function planPeer(peer: PlannedPeer, path: PeerPath): KernelObject[] {
  const { address, subnets } = peer;
  const comment = `${commentPrefix}${peer.name}`;
  const neighbours: KernelObject[] = [
    { kind: 'fdb', link: tunnelLink, mac: tunnelMac(address), remote: address },
    { kind: 'neighbour', link: tunnelLink, address, mac: tunnelMac(address) },
  ];
  return [
    ...(peer.via === 'route' ? [] : [element('tunnel_peers', address, { comment })]),
    ...subnets.flatMap((subnet) => planSubnet(subnet, linksIn(peer, path), path.link, comment)),
    ...(path.kind === 'vxlan' ? neighbours : []),
    ...subnets.map((subnet) => planRoute(subnet, path)),
  ];
}

/**
 * Where its packets may come in. The peer chooses its way by what it sees, we by what we see: on a shared link both ways
 * are let in, unless only a route is wanted. Nobody but the tunnel brings us packets of a peer behind routers.
 */
function linksIn({ via }: PlannedPeer, { shared, uplink }: PeerPath): string[] {
  return [...(shared ? [uplink] : []), ...(via === 'route' ? [] : [tunnelLink])];
}

/**
 * A set of subnets of any length costs the kernel more the more there are, the most when the link, which all have in
 * common, comes first: with a thousand of them 45 ms for taking one away, and 5 ms with the address first. A hash table
 * takes 0.2 ms, and is faster to look up. So the length that clusters give out unless told
 * otherwise has hash tables of its own; those that count are looked up for every packet, so they have the address alone.
 * nft(8) prints a subnet of one address without its length.
 */
function planSubnet(subnet: string, from: readonly string[], to: string, comment: string): NftElementObject[] {
  if (!subnet.endsWith('/24')) {
    const key = (link: string): string => `${subnet.replace(/\/32$/, '')} . "${link}"`;
    return [
      ...from.map((link) => element('peer_paths', key(link), { comment })),
      element('peer_targets', key(to), { comment }),
    ];
  }
  const start = subnet.replace(/\/24$/, '');
  return [
    ...from.map((link) => element('peer_paths_24', `"${link}" . ${start}`, { comment })),
    element('peer_targets_24', `"${to}" . ${start}`, { comment }),
    element('peer_packets_in_24', start, { comment }),
    element('peer_packets_out_24', start, { comment }),
  ];
}

/** The host itself speaks to the peer's containers from our bridge's address, which the peer lets in. */
function planRoute(subnet: string, { kind, link, gateway, source }: PeerPath): RouteObject {
  return {
    kind: 'route',
    to: subnet,
    via: gateway,
    link,
    ...(kind === 'vxlan' ? { onlink: true } : {}),
    ...(source === undefined ? {} : { source }),
    protocol: peerProtocol,
  };
}
