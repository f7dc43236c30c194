/**
 * The one nftables table of ours, `ip netyard`: fixed chains that look everything up in sets and maps. Networks,
 * ports and links are elements, so the two-thousandth port costs what the first one cost, for packets and for us.
 *
 * Verdicts here never overrule those of other tables: a packet must pass all of them (nft(8), "chains"). We only drop
 * what is on its way to a bridge of ours, and what pretends to come from or go to 127.0.0.0/8 through the network.
 * IPv6 has no part here yet: endpoints are made without it. Pure.
 */
import type { NftElementObject, NftTableObject } from '@netyard/kernel';

export const tableName = 'netyard';

/**
 * Sets: `bridges` our bridges; `same_bridge` the same as pairs, for packets routed back to where they came from;
 * `open_bridges` pairs of bridges whose containers may talk freely (icc); `gateways` our own addresses on them;
 * `masqueraded` subnets hidden behind the host; `peers` subnets of other hosts, reached and reaching in without
 * translation; `link_holes` from . to . protocol . port where containers may not talk freely.
 * Maps: `published` and `published_any` (all addresses of the host) give container address and port.
 */
const body = `
	set bridges { type ifname; }
	set same_bridge { type ifname . ifname; }
	set open_bridges { type ifname . ifname; }
	set gateways { type ipv4_addr; }
	set masqueraded { type ipv4_addr; flags interval; }
	set peers { type ipv4_addr; flags interval; }
	set link_holes { type ipv4_addr . ipv4_addr . inet_proto . inet_service; }
	map published { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }
	map published_any { type inet_proto . inet_service : ipv4_addr . inet_service; }

	chain martians {
		type filter hook prerouting priority -300; policy accept;
		iifname != "lo" ip daddr 127.0.0.0/8 drop comment "loopback from outside"
		iifname @bridges ip saddr 127.0.0.0/8 drop comment "loopback from a container"
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
		oifname @bridges ip saddr 127.0.0.0/8 masquerade comment "host through 127.0.0.1"
		ct status dnat iifname . oifname @same_bridge masquerade comment "published port of a neighbour"
		ip saddr @masqueraded oifname != @bridges ip daddr != @peers masquerade comment "outwards"
	}

	chain forward {
		type filter hook forward priority 0; policy accept;
		oifname @bridges jump to_bridge
	}

	chain to_bridge {
		ct state established,related accept
		ct status dnat accept comment "published ports"
		iifname . oifname @open_bridges accept comment "icc"
		ip saddr @peers accept comment "other hosts"
		ip saddr . ip daddr . meta l4proto . th dport @link_holes accept comment "links"
		drop comment "neither published nor linked"
	}

	chain output {
		type filter hook output priority 0; policy accept;
		oifname @bridges icmp type redirect drop comment "neighbours stay apart"
	}
`;

export function planTable(): NftTableObject {
  return { kind: 'nft-table', family: 'ip', name: tableName, body };
}

export type NetyardSet =
  | 'bridges'
  | 'same_bridge'
  | 'open_bridges'
  | 'gateways'
  | 'masqueraded'
  | 'peers'
  | 'link_holes'
  | 'published'
  | 'published_any';

/** Sets whose elements belong to endpoints and come and go with them. */
export const endpointSets: readonly NetyardSet[] = ['link_holes', 'published', 'published_any'];
/** Sets whose elements belong to networks. */
export const networkSets: readonly NetyardSet[] = ['bridges', 'same_bridge', 'open_bridges', 'gateways', 'masqueraded'];

export function element(set: NetyardSet, key: string, options: { value?: string; comment?: string }): NftElementObject {
  return { kind: 'nft-element', family: 'ip', table: tableName, set, key, ...options };
}
