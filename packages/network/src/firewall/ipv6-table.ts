/**
 * Plans the body of table `ip6 netyard`, which exists while a network has IPv6. Its chains and sets are those of
 * `ip netyard` (table.ts), where they are explained, without what IPv6 does not need: the kernel itself drops packets from
 * and to ::1 that arrive through the network, and the tunnel to peers is one over IPv4, whose inner packets are IPv6. Pure.
 *
 * Neighbour discovery is never forwarded, and ICMPv6 errors such as packet-too-big are `related` to a connection, so
 * neither needs a rule.
 */
import { anyTunnelLink, ipv6PeerSetDeclarations, ipv6PeerSets } from '@netyard/peers';
import {
  acceptIcc,
  clusterSets,
  ingressSets,
  interfaceSets,
  mssClampChain,
  noNatChain,
  type OptionalRules,
  planOptionalRules,
  portSets,
  publishChain,
  toDirectPortChain,
} from './shared-chains.ts';

/** The sets that `ip6 netyard` has, under the names that they have in `ip netyard`; and `masqueraded_64`. */
export const ipv6Sets = [
  ...['bridges', 'ip_forward_enabled', 'engine_bridges', 'icc_bridges', 'no_icc_bridges', 'internal_bridges'],
  ...['peer_bridges', 'cluster_subnets', 'cluster_bridges', ...ipv6PeerSets],
  ...['unprotected_bridges', 'routed_bridges', 'trusted_ingress', 'gateways', 'masqueraded', 'masqueraded_64'],
  ...['source_addresses', 'link_allow', 'hairpin', 'direct_ports', 'published', 'published_any'],
] as const;

export type Ipv6Set = (typeof ipv6Sets)[number];

export interface Ipv6TableOptions {
  /** As in `TableOptions`, for IPv6. */
  routesOnlyOwn: boolean;
}

/**
 * Published ports of a neighbour on the same bridge: with icc=false replies have to return through this host, too, and
 * IPv6 has no proxy_arp_pvlan, so these are masqueraded as well.
 */
export function planIpv6Body(
  { routesOnlyOwn }: Ipv6TableOptions,
  { marks, guarded }: Pick<OptionalRules, 'marks' | 'guarded'>,
): string {
  const { allow, gotoForeign, chains } = planOptionalRules({ routesOnlyOwn, marks, guarded });
  return sets + natChains(allow) + filterChains(allow, gotoForeign) + chains;
}

const sets = `${interfaceSets}${clusterSets('ip6')}${ingressSets('ip6')}
	set masqueraded_64 { type ipv6_addr; }
${ipv6PeerSetDeclarations}${portSets('ip6')}`;

const natChains = (allow: string): string => `${publishChain('ip6')}
	chain publish_in {
		type nat hook prerouting priority -100; policy accept;
		ip6 daddr @gateways iifname != @bridges return comment "bridge address: containers only"
		ip6 saddr fe80::/10 return comment "link-local addresses are not forwarded: relayed"
		jump publish
	}

	chain publish_out {
		type nat hook output priority -100; policy accept;
		ip6 daddr ::1 return comment "replies to ::1 are not forwarded: relayed"
		ip6 saddr fe80::/10 return comment "link-local addresses are not forwarded: relayed"
		jump publish
	}

	chain source_nat {
		type nat hook postrouting priority 100; policy accept;
		ct status dnat ip6 saddr . ip6 daddr @hairpin masquerade comment "hairpin"
		ct status dnat iifname . oifname @icc_bridges masquerade comment "published port of a neighbour"
		ct status dnat iifname . oifname @no_icc_bridges masquerade comment "published port of a neighbour"
		oifname . ip6 daddr & ffff:ffff:ffff:ffff:: @peer_egress_64 goto no_nat
		ip6 daddr . oifname @peer_egress goto no_nat
		ip6 saddr @masqueraded oifname != @bridges masquerade comment "leaves the host"
		ip6 saddr & ffff:ffff:ffff:ffff:: @masqueraded_64 oifname != @bridges masquerade comment "leaves the host"
		oifname != @bridges snat to ip6 saddr map @source_addresses
	}
${noNatChain(allow)}`;

const filterChains = (allow: string, gotoForeign: string): string => `
	chain tunnel {
		type filter hook input priority -10; policy accept;
		iifname "${anyTunnelLink}" goto tunnel_inner
	}

	chain tunnel_inner {
		iifname . ip6 saddr & ffff:ffff:ffff:ffff:: @peer_ingress_64 ${allow}accept
		ip6 saddr . iifname @peer_ingress ${allow}accept
		drop comment "no peer's subnet"
	}
${mssClampChain}
	chain forward {
		type filter hook forward priority 0; policy accept;
		tcp flags & (syn | rst) == syn jump mss_clamp
		ct state established,related goto established
		iifname "${anyTunnelLink}" oifname != @bridges drop comment "tunnel: to containers only"
		iifname @internal_bridges goto from_internal
		oifname @bridges goto to_bridge${gotoForeign}
		ip6 daddr & ffff:ffff:ffff:ffff:: @peer_packets_out_64 accept comment "counted"
	}

	chain established {
		ip6 saddr & ffff:ffff:ffff:ffff:: @peer_packets_in_64 accept comment "counted"
		ip6 daddr & ffff:ffff:ffff:ffff:: @peer_packets_out_64 accept comment "counted"
		ip6 saddr . iifname @peer_ingress accept comment "counted"
		ip6 daddr . oifname @peer_egress accept comment "counted"
		accept
	}

	chain from_internal {${acceptIcc(allow)}
		iifname . ip6 daddr @cluster_bridges jump to_parts
		drop comment "internal"
	}

	chain to_parts {
		oifname . ip6 daddr & ffff:ffff:ffff:ffff:: @peer_egress_64 ${allow}accept comment "same network on another host"
		ip6 daddr . oifname @peer_egress ${allow}accept comment "same network on another host"
	}

	chain to_bridge {
		ct status dnat oifname != @internal_bridges ${allow}accept comment "published ports"${acceptIcc(allow)}
		oifname . ip6 saddr @cluster_bridges goto from_parts
		oifname @peer_bridges ip6 saddr != @cluster_subnets jump from_peers
		ip6 saddr . ip6 daddr . meta l4proto . th dport @link_allow ${allow}accept comment "links"
		ip6 daddr . meta l4proto . th dport @direct_ports jump to_direct_port
		iifname . oifname @no_icc_bridges drop comment "icc=false"
		oifname @unprotected_bridges ${allow}accept comment "nat-unprotected"
		oifname @routed_bridges icmpv6 type echo-request ${allow}accept comment "routed"
		drop comment "neither published nor linked"
	}

	chain from_parts {
		iifname . ip6 saddr & ffff:ffff:ffff:ffff:: @peer_ingress_64 ${allow}goto established comment "same network on another host"
		ip6 saddr . iifname @peer_ingress ${allow}accept comment "same network on another host"
		drop comment "no part of the network"
	}

	chain from_peers {
		iifname . ip6 saddr & ffff:ffff:ffff:ffff:: @peer_ingress_64 ${allow}goto established comment "peers"
		ip6 saddr . iifname @peer_ingress ${allow}accept comment "peers"
	}
${toDirectPortChain(allow)}
	chain output {
		type filter hook output priority 0; policy accept;
		icmpv6 type nd-redirect oifname @bridges drop comment "icc=false: no redirects"
	}
`;
