/**
 * The plan of a peer: the tutorial's two steps, in their modern shape. A route for each of its subnets, and an element
 * that lets packets of that subnet through to our containers, and ours through to it untranslated, on the one link where
 * the peer is. Pure.
 */
import type { KernelObject, NftElementObject, RouteObject } from '@netyard/kernel';
import type { PeerPath, PeerRecord } from '../contract.ts';
import { element } from '../firewall/table.ts';

/** Tells our routes (rtm_protocol); nobody in iproute2's rt_protos has it. */
export const peerProtocol = 78;

const commentPrefix = 'peer ';

export const isPeerComment = (comment: string | undefined): boolean => comment?.startsWith(commentPrefix) === true;

type PlannedPeer = Pick<PeerRecord, 'name' | 'subnets'>;

export function planPeer(peer: PlannedPeer, path: PeerPath): (RouteObject | NftElementObject)[] {
  return peer.subnets.flatMap((subnet) => [
    element('peer_paths', `"${path.link}" . ${elementText(subnet)}`, { comment: `${commentPrefix}${peer.name}` }),
    planRoute(subnet, path),
  ]);
}

/** The host itself speaks to the peer's containers from our bridge's address, which the peer lets in. */
function planRoute(subnet: string, { link, gateway, source }: PeerPath): RouteObject {
  return {
    kind: 'route',
    to: subnet,
    via: gateway,
    link,
    ...(source === undefined ? {} : { source }),
    protocol: peerProtocol,
  };
}

/** nft(8) prints a subnet of one address without its length. */
const elementText = (subnet: string): string => subnet.replace(/\/32$/, '');

export const isPeerRoute = (object: KernelObject): object is RouteObject =>
  object.kind === 'route' && object.protocol === peerProtocol;
