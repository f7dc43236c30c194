/**
 * The nftables tables of ours: `ip netyard`, fixed chains that look everything up in sets and maps, and `bridge
 * netyard` for what never leaves a bridge. Networks, ports and links are elements, so the two-thousandth port costs
 * what the first one cost, for packets and for us.
 *
 * Verdicts here never overrule those of other tables: a packet must pass all of them (nft(8), "chains"). We only drop
 * what is on its way to a bridge of ours, and what pretends to come from or go to 127.0.0.0/8 through the network.
 * IPv6 has no part here yet: endpoints are made without it.
 *
 * Most packets belong to connections that were let in long ago: what tells them apart stands first in each chain, and
 * comparing four bytes of the packet stands before looking up a link's name, which costs several times as much. Pure.
 */
import { tableName } from '@netyard/core';
import type { NftElementObject, NftTableObject } from '@netyard/kernel';
import { type PeerSet, tunnelId, tunnelLink, tunnelPort } from '@netyard/peers';
import { clearAllowed, setAllowed } from './guard.ts';
import { clearBridged, isBridged, publishedMark, setBridged } from './marks.ts';

export { tableName } from '@netyard/core';

/**
 * Sets: `bridges` our bridges; `switched_on` says that the daemon switched ip_forward on, for its next start;
 * `engine_bridges` those of other container engines; `open_bridges` pairs (twice the same) of those whose containers may talk freely (icc);
 * `gateways` our own addresses on them; `masqueraded` subnets hidden behind the host; `peer_paths` subnet and link of
 * each peer, whose containers reach in on that link only; `peer_targets` the same for the way out, which is not
 * translated; both count packets. Peers' subnets of the common length are in hash tables, see plan.ts of peers:
 * `peer_paths_24`, `peer_targets_24`, and `peer_packets_in_24`, `peer_packets_out_24` which count. `tunnel_peers` hosts
 * that may send us VXLAN packets of our number; `peers` subnets on any link, for whoever writes them in by hand;
 * `link_holes` from . to . protocol . port where containers may not talk freely; `themselves` pairs (twice the same) of
 * published containers, which may ask for themselves.
 * Maps: `published` and `published_any` (all addresses of the host) give container address and port.
 *
 * Sources are kept wherever answers find their way back through us. Between neighbours on an open bridge they would
 * go straight over the bridge, unless br_netfilter is at work: it has no input interface in postrouting, so that the
 * rule does not match there.
 */
const planBody = ({ allow, strangers }: { allow: string; strangers: string }): string => `
	set bridges { type ifname; }
	set switched_on { type ifname; }
	set engine_bridges { type ifname; }
	set open_bridges { type ifname . ifname; }
	set gateways { type ipv4_addr; }
	set masqueraded { type ipv4_addr; flags interval; }
	set peers { type ipv4_addr; flags interval; }
	set peer_paths { type ipv4_addr . ifname; flags interval; counter; }
	set peer_targets { type ipv4_addr . ifname; flags interval; counter; }
	set peer_paths_24 { type ifname . ipv4_addr; }
	set peer_targets_24 { type ifname . ipv4_addr; }
	set peer_packets_in_24 { type ipv4_addr; counter; }
	set peer_packets_out_24 { type ipv4_addr; counter; }
	set tunnel_peers { type ipv4_addr; }
	set link_holes { type ipv4_addr . ipv4_addr . inet_proto . inet_service; }
	set themselves { type ipv4_addr . ipv4_addr; }
	map published { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }
	map published_any { type inet_proto . inet_service : ipv4_addr . inet_service; }

	chain martians {
		type filter hook prerouting priority -300; policy accept;
		ip daddr 127.0.0.0/8 iifname != "lo" drop comment "loopback from outside"
		ip saddr 127.0.0.0/8 iifname @bridges drop comment "loopback from a container"
		udp dport ${tunnelPort} @th,96,24 ${tunnelId} notrack comment "what is inside is tracked"
	}

	chain tunnel_out {
		type filter hook output priority -300; policy accept;
		udp dport ${tunnelPort} @th,96,24 ${tunnelId} notrack comment "what is inside is tracked"
	}

	chain publish {
		dnat to ip daddr . meta l4proto . th dport map @published
		fib daddr type local dnat to meta l4proto . th dport map @published_any
	}

	chain publish_in {
		type nat hook prerouting priority -100; policy accept;
		ip daddr @gateways iifname != @bridges return comment "a bridge address is for its containers"
		jump publish
	}

	chain publish_out {
		type nat hook output priority -100; policy accept;
		jump publish
	}

	chain source {
		type nat hook postrouting priority 100; policy accept;
		ip saddr 127.0.0.0/8 oifname @bridges masquerade comment "host through 127.0.0.1"
		ct status dnat ip saddr . ip daddr @themselves masquerade comment "own published port"
		ct status dnat iifname . oifname @open_bridges masquerade comment "published port of a neighbour"
		oifname . ip daddr & 255.255.255.0 @peer_targets_24 goto untranslated
		ip daddr . oifname @peer_targets goto untranslated
		ip saddr @masqueraded oifname != @bridges ip daddr @peers goto untranslated
		ip saddr @masqueraded oifname != @bridges masquerade comment "outwards"
	}

	chain untranslated {
		${allow}accept comment "to other hosts' containers"
	}

	chain tunnel {
		type filter hook input priority -10; policy accept;
		udp dport ${tunnelPort} @th,96,24 ${tunnelId} goto tunnel_packet
		iifname "${tunnelLink}" goto tunnel_content
	}

	chain tunnel_packet {
		ip saddr @tunnel_peers ${allow}accept
		drop comment "no peer's tunnel"
	}

	chain tunnel_content {
		iifname . ip saddr & 255.255.255.0 @peer_paths_24 ${allow}accept
		ip saddr . iifname @peer_paths ${allow}accept
		drop comment "of no peer's containers"
	}

	chain fit {
		oifname @bridges tcp option maxseg size set rt mtu comment "no longer than both ways carry"
		iifname @bridges tcp option maxseg size set rt mtu comment "no longer than both ways carry"
	}

	chain forward {
		type filter hook forward priority 0; policy accept;
		tcp flags & (syn | rst) == syn jump fit
		ct state established,related goto known
		iifname "${tunnelLink}" oifname != @bridges drop comment "the tunnel leads to containers only"
		oifname @bridges goto to_bridge${strangers}
		ip daddr & 255.255.255.0 @peer_packets_out_24 accept comment "counted there"
	}

	chain known {
		ip saddr & 255.255.255.0 @peer_packets_in_24 accept comment "counted there"
		ip daddr & 255.255.255.0 @peer_packets_out_24 accept comment "counted there"
		ip saddr . iifname @peer_paths accept comment "counted there"
		ip daddr . oifname @peer_targets accept comment "counted there"
		accept
	}

	chain to_bridge {
		ct status dnat ${allow}accept comment "published ports"
		iifname . oifname @open_bridges ${allow}accept comment "icc"
		iifname . ip saddr & 255.255.255.0 @peer_paths_24 ${allow}goto known comment "other hosts' containers"
		ip saddr . iifname @peer_paths ${allow}accept comment "other hosts' containers"
		ip saddr @peers iifname != @bridges ${allow}accept comment "other hosts, by hand"
		ip saddr . ip daddr . meta l4proto . th dport @link_holes ${allow}accept comment "links"
		drop comment "neither published nor linked"
	}

	chain output {
		type filter hook output priority 0; policy accept;
		icmp type redirect oifname @bridges drop comment "neighbours stay apart"
	}
`;

const markPublished = `
	chain mark_published {
		type filter hook prerouting priority -90; policy accept;
		ct status dnat iifname @bridges iifname . iifname != @open_bridges meta mark set meta mark | ${publishedMark}
	}
`;

/**
 * Where the daemon switched forwarding on, nothing else of the host's may use it as a router: only what containers of
 * other engines send, answers to it, and what another program's rules publish (dnat). Frames within a bridge are not
 * routed, but br_netfilter passes them through this chain, too.
 */
const goToStrangers = `
		iifname != @bridges goto strangers`;

const planStrangers = (allow: string): string => `
	chain strangers {
		ct status dnat ${allow}accept comment "published by another program"
		iifname @engine_bridges ${allow}accept comment "from another engine's containers"
		${isBridged} ${allow}accept comment "within a bridge"
		drop comment "the daemon switched forwarding on for containers only"
	}
`;

/** Between the ports of containers that may not talk freely (icc=false) no frame passes, of whatever protocol. */
const planBridgeBody = (routesOnlyOwn: boolean): string => `
	set isolated_ports { type ifname; }

	chain forward {
		type filter hook forward priority -200; policy accept;
		iifname @isolated_ports oifname @isolated_ports meta mark & ${publishedMark} == 0 drop comment "icc=false"${routesOnlyOwn ? `\n\t\t${setBridged}` : ''}
	}
${routesOnlyOwn ? clearBridged : ''}`;

export interface TableOptions {
  /** Bridges that keep their containers apart see what is published, too (br_netfilter). */
  marks: boolean;
  /** Packets between links that are not Netyard's are dropped. */
  routesOnlyOwn: boolean;
  /** The guard drops what these tables have not accepted: see guard.ts. */
  guarded: boolean;
}

export function planTables(options: TableOptions): NftTableObject[] {
  const { marks, routesOnlyOwn, guarded } = options;
  const allow = guarded ? setAllowed : '';
  const body = planBody({ allow, strangers: routesOnlyOwn ? goToStrangers : '' });
  const parts = [routesOnlyOwn ? planStrangers(allow) : '', marks ? markPublished : '', guarded ? clearAllowed : ''];
  return [
    { kind: 'nft-table', family: 'ip', name: tableName, body: body + parts.join('') },
    { kind: 'nft-table', family: 'bridge', name: tableName, body: planBridgeBody(routesOnlyOwn) },
  ];
}

export type NetyardSet =
  | 'isolated_ports'
  | 'bridges'
  | 'switched_on'
  | 'engine_bridges'
  | 'themselves'
  | 'open_bridges'
  | 'gateways'
  | 'masqueraded'
  | 'peers'
  | PeerSet
  | 'link_holes'
  | 'published'
  | 'published_any';

/** Sets whose elements belong to endpoints and come and go with them. */
export const endpointSets: readonly NetyardSet[] = [
  'isolated_ports',
  'link_holes',
  'themselves',
  'published',
  'published_any',
];
/** Sets whose elements belong to networks. */
export const networkSets: readonly NetyardSet[] = [
  'bridges',
  'open_bridges',
  'gateways',
  'masqueraded',
  'engine_bridges',
];

export const familyOf = (set: NetyardSet): 'ip' | 'bridge' => (set === 'isolated_ports' ? 'bridge' : 'ip');

export function element(set: NetyardSet, key: string, options: { value?: string; comment?: string }): NftElementObject {
  return { kind: 'nft-element', family: familyOf(set), table: tableName, set, key, ...options };
}
