/**
 * The nftables sets that hold peers, in the tables `ip netyard` and `ip6 netyard`. The tables, with these sets and the
 * rules that look them up, are created by the package's user; elements are created here. The set of peers with an IPv6
 * address is in a table of its own, see tunnel-table.ts. Pure.
 */
import { tableName } from '@netyard/core';
import type { NftElementObject } from '@netyard/kernel';
import { tunnelTable } from './tunnel-table.ts';

/** Sets whose elements count packets from and to peers. */
export const countingIn = ['peer_packets_in_24', 'peer_packets_in_64', 'peer_ingress'] as const;
export const countingOut = ['peer_packets_out_24', 'peer_packets_out_64', 'peer_egress'] as const;
/** All sets whose elements belong to peers. */
export const peerSets = [
  ...['tunnel_peers', 'tunnel_subnets', 'peer_ingress_24', 'peer_egress_24', 'peer_ingress_64', 'peer_egress_64'],
  ...[...countingIn, ...countingOut],
] as const;
/** Those in the table of the tunnel over IPv6. Only the first one is in `ip netyard`, too. */
const tunnelSets = ['tunnel_peers', 'tunnel_subnets'] as const;

/** The sets as a table in nft(8)’s syntax declares them. Subnets of other lengths than /24 and /64 are intervals, see plan.ts. */
export const peerSetDeclarations = `	set peer_ingress { type ipv4_addr . ifname; flags interval; counter; }
	set peer_egress { type ipv4_addr . ifname; flags interval; counter; }
	set peer_ingress_24 { type ifname . ipv4_addr; }
	set peer_egress_24 { type ifname . ipv4_addr; }
	set peer_packets_in_24 { type ipv4_addr; counter; }
	set peer_packets_out_24 { type ipv4_addr; counter; }
	set tunnel_peers { type ipv4_addr; }`;

/** Those that only `ip6 netyard` has: hash tables as for /24. */
const ipv6OnlySets = ['peer_ingress_64', 'peer_egress_64', 'peer_packets_in_64', 'peer_packets_out_64'] as const;

/** All sets of `ip6 netyard`. */
export const ipv6PeerSets = ['peer_ingress', 'peer_egress', ...ipv6OnlySets] as const;

export const ipv6PeerSetDeclarations = `	set peer_ingress { type ipv6_addr . ifname; flags interval; counter; }
	set peer_egress { type ipv6_addr . ifname; flags interval; counter; }
	set peer_ingress_64 { type ifname . ipv6_addr; }
	set peer_egress_64 { type ifname . ipv6_addr; }
	set peer_packets_in_64 { type ipv6_addr; counter; }
	set peer_packets_out_64 { type ipv6_addr; counter; }`;

export type PeerSet = (typeof peerSets)[number];

export const isPeerSet = (set: string | undefined): boolean => peerSets.some((known) => known === set);

/** The tables of the sets, as requests to the kernel name them. */
export const peerTable = { family: 'ip', table: tableName } as const;
export const ipv6PeerTable = { family: 'ip6', table: tableName } as const;

export type PeerSetTable = typeof peerTable | typeof ipv6PeerTable | typeof tunnelTable;

/** Each of these sets in each table that has it. */
export const inTables = (sets: readonly PeerSet[]) => [
  ...sets.filter((set) => !isOneOf(notIpv4Sets, set)).map((set) => ({ ...peerTable, set })),
  ...sets.filter((set) => isOneOf(ipv6PeerSets, set)).map((set) => ({ ...ipv6PeerTable, set })),
  ...sets.filter((set) => isOneOf(tunnelSets, set)).map((set) => ({ ...tunnelTable, set })),
];

const notIpv4Sets: readonly PeerSet[] = ['tunnel_subnets', ...ipv6OnlySets];

const isOneOf = (sets: readonly PeerSet[], set: PeerSet): boolean => sets.includes(set);

const commentPrefix = 'peer ';

export const commentOf = (peer: string): string => `${commentPrefix}${peer}`;
export const isPeerComment = (comment: string | undefined): boolean => comment?.startsWith(commentPrefix) === true;
export const nameOfComment = (comment: string): string => comment.slice(commentPrefix.length);

export const element = (
  set: PeerSet,
  key: string,
  comment: string,
  table: PeerSetTable = peerTable,
): NftElementObject => ({ kind: 'nft-element', ...table, set, key, comment });
