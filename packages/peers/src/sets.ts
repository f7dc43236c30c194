/**
 * The nftables sets that hold peers, in the table `ip netyard`. The table, with these sets and the rules that look them
 * up, is created by the package's user; elements are created here. Pure.
 */
import { tableName } from '@netyard/core';
import type { NftElementObject } from '@netyard/kernel';

/** Sets whose elements count packets from and to peers. */
export const countingIn = ['peer_packets_in_24', 'peer_ingress'] as const;
export const countingOut = ['peer_packets_out_24', 'peer_egress'] as const;
/** All sets whose elements belong to peers. */
export const peerSets = ['tunnel_peers', 'peer_ingress_24', 'peer_egress_24', ...countingIn, ...countingOut] as const;

/** The sets as a table in nft(8)'s syntax declares them. Subnets of other lengths than /24 are intervals, see plan.ts. */
export const peerSetDeclarations = `	set peer_ingress { type ipv4_addr . ifname; flags interval; counter; }
	set peer_egress { type ipv4_addr . ifname; flags interval; counter; }
	set peer_ingress_24 { type ifname . ipv4_addr; }
	set peer_egress_24 { type ifname . ipv4_addr; }
	set peer_packets_in_24 { type ipv4_addr; counter; }
	set peer_packets_out_24 { type ipv4_addr; counter; }
	set tunnel_peers { type ipv4_addr; }`;

export type PeerSet = (typeof peerSets)[number];

export const isPeerSet = (set: string | undefined): boolean => peerSets.some((known) => known === set);

/** The table of the sets, as requests to the kernel name it. */
export const peerTable = { family: 'ip', table: tableName } as const;

const commentPrefix = 'peer ';

export const commentOf = (peer: string): string => `${commentPrefix}${peer}`;
export const isPeerComment = (comment: string | undefined): boolean => comment?.startsWith(commentPrefix) === true;
export const nameOfComment = (comment: string): string => comment.slice(commentPrefix.length);

export const element = (set: PeerSet, key: string, comment: string): NftElementObject => ({
  ...{ kind: 'nft-element', ...peerTable, set, key, comment },
});
