/**
 * Plans Netyard's nftables table `ip netyard`, whose static chains look everything up in sets and maps; for frames within
 * a bridge there is `bridge netyard` (bridge-table.ts), for IPv6 `ip6 netyard` (ipv6-table.ts). Networks, ports and links are elements, so the two-thousandth port
 * costs as much as the first one, for packets and for updates.
 *
 * Verdicts here never overrule those of other tables: a packet must be accepted by all of them (nft(8), "chains"). These
 * tables drop only packets to Netyard's bridges, packets from internal bridges, and packets from or to 127.0.0.0/8 that
 * arrive through the network.
 *
 * Most packets belong to established connections, so each chain matches those first. Comparing four bytes of the packet
 * precedes matching an interface's name, which costs several times as much. Pure.
 */
import { tableName } from '@netyard/core';
import type { NftElementObject, NftTableObject } from '@netyard/kernel';
import { anyTunnelLink, type PeerSet, peerSetDeclarations, tunnelId, tunnelPort } from '@netyard/peers';
import type { Family } from '../family.ts';
import { type BridgeSet, bridgeSets, planBridgeBody } from './bridge-table.ts';
import { type Ipv6Set, type Ipv6TableOptions, ipv6Sets, planIpv6Body } from './ipv6-table.ts';
import {
  acceptIcc,
  clusterSets,
  ingressSets,
  interfaceSets,
  mssClampChain,
  noNatChain,
  planOptionalRules,
  portSets,
  publishChain,
  toDirectPortChain,
} from './shared-chains.ts';

export { tableName } from '@netyard/core';

/**
 * Names that sets had before they were renamed: current name to former name. The daemon of the version before leaves its
 * table in the kernel; the table that replaces it takes over the elements of the former sets, in the same transaction.
 */
export const formerSets = {
  hairpin: 'themselves',
  link_allow: 'link_holes',
  icc_bridges: 'open_bridges',
  ip_forward_enabled: 'switched_on',
  peer_ingress: 'peer_paths',
  peer_egress: 'peer_targets',
  peer_ingress_24: 'peer_paths_24',
  peer_egress_24: 'peer_targets_24',
} as const satisfies Partial<Record<NetyardSet, string>>;

/**
 * Sets:
 * - `bridges`: Netyard's bridges; `engine_bridges`: those of other container engines;
 * - `icc_bridges`, `no_icc_bridges`: pairs of a bridge with itself, for bridges whose containers may talk freely (icc), and
 *   for the others;
 * - `internal_bridges`: nothing is forwarded from or to them; `unprotected_bridges`, `routed_bridges`: those of networks
 *   with this gateway mode; `peer_bridges`: those that accept packets from peers;
 * - `cluster_subnets`: subnets of networks of the cluster, `cluster_bridges` the bridge of each: packets from these subnets
 *   are accepted to that bridge only;
 * - `trusted_ingress`: pairs of an interface and a bridge whose published ports it reaches at the containers' addresses;
 * - `ip_forward_enabled`: records for the daemon's next start that the daemon enabled ip_forward;
 * - `gateways`: Netyard's own addresses on its bridges; `masqueraded`: subnets that are masqueraded,
 *   `masqueraded_24` those of /24 (masqueraded.ts);
 * - `peer_ingress`: subnet and interface of each peer, whose packets are accepted on that interface only; `peer_egress`:
 *   the same for the other direction, which is not masqueraded. Both count packets. /24 subnets have hash tables instead
 *   (plan.ts of peers): `peer_ingress_24`, `peer_egress_24`, and `peer_packets_in_24`, `peer_packets_out_24`, which count;
 * - `tunnel_peers`: hosts from which VXLAN packets of Netyard's VNI are accepted;
 * - `peers`: subnets that the administrator adds, accepted on any interface;
 * - `link_allow`: from . to . protocol . port, for links between containers that may not talk freely;
 * - `hairpin`: pairs of an address with itself, for containers that may connect to their own published ports.
 * - `direct_ports`: published ports that are reachable at the container's own address, on a routed bridge or through
 *   `trusted_ingress`.
 * Maps: `published` and `published_any` (all addresses of the host) give container address and port; `source_addresses`
 * gives the host's address that replaces the source of packets from a subnet, where masquerading would choose another.
 *
 * Source addresses are kept wherever replies return through this host. Between neighbours on a bridge with icc replies
 * would go straight over the bridge, so these are masqueraded, except with br_netfilter: then postrouting has no input
 * interface, and the rule does not match.
 */
const planBody = ({
  allow,
  gotoForeign,
}: {
  allow: string;
  gotoForeign: string;
}): string => `${interfaceSets}${clusterSets('ip')}${ingressSets('ip')}
	set masqueraded_24 { type ipv4_addr; }
	set peers { type ipv4_addr; flags interval; }
${peerSetDeclarations}${portSets('ip')}
	chain martians {
		type filter hook prerouting priority -300; policy accept;
		ip daddr 127.0.0.0/8 iifname != "lo" drop comment "loopback from outside"
		ip saddr 127.0.0.0/8 iifname @bridges drop comment "loopback from a container"
		udp dport ${tunnelPort} @th,96,24 ${tunnelId} notrack comment "inner packets are tracked"
	}

	chain tunnel_out {
		type filter hook output priority -300; policy accept;
		udp dport ${tunnelPort} @th,96,24 ${tunnelId} notrack comment "inner packets are tracked"
	}
${publishChain('ip')}
	chain publish_in {
		type nat hook prerouting priority -100; policy accept;
		ip daddr @gateways iifname != @bridges return comment "bridge address: containers only"
		jump publish
	}

	chain publish_out {
		type nat hook output priority -100; policy accept;
		jump publish
	}

	chain source_nat {
		type nat hook postrouting priority 100; policy accept;
		ip saddr 127.0.0.0/8 oifname @bridges masquerade comment "host through 127.0.0.1"
		ct status dnat ip saddr . ip daddr @hairpin masquerade comment "hairpin"
		ct status dnat iifname . oifname @icc_bridges masquerade comment "published port of a neighbour"
		oifname . ip daddr & 255.255.255.0 @peer_egress_24 goto no_nat
		ip daddr . oifname @peer_egress goto no_nat
		ip saddr @masqueraded oifname != @bridges ip daddr @peers goto no_nat
		ip saddr @masqueraded oifname != @bridges masquerade comment "leaves the host"
		ip saddr & 255.255.255.0 @masqueraded_24 oifname != @bridges ip daddr @peers goto no_nat
		ip saddr & 255.255.255.0 @masqueraded_24 oifname != @bridges masquerade comment "leaves the host"
		oifname != @bridges snat to ip saddr map @source_addresses
	}
${noNatChain(allow)}
	chain tunnel {
		type filter hook input priority -10; policy accept;
		udp dport ${tunnelPort} @th,96,24 ${tunnelId} goto tunnel_outer
		iifname "${anyTunnelLink}" goto tunnel_inner
	}

	chain tunnel_outer {
		ip saddr @tunnel_peers ${allow}accept
		drop comment "not from a peer"
	}

	chain tunnel_inner {
		iifname . ip saddr & 255.255.255.0 @peer_ingress_24 ${allow}accept
		ip saddr . iifname @peer_ingress ${allow}accept
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
		ip daddr & 255.255.255.0 @peer_packets_out_24 accept comment "counted"
	}

	chain established {
		ip saddr & 255.255.255.0 @peer_packets_in_24 accept comment "counted"
		ip daddr & 255.255.255.0 @peer_packets_out_24 accept comment "counted"
		ip saddr . iifname @peer_ingress accept comment "counted"
		ip daddr . oifname @peer_egress accept comment "counted"
		accept
	}

	chain from_internal {${acceptIcc(allow)}
		iifname . ip daddr @cluster_bridges jump to_parts
		drop comment "internal"
	}

	chain to_parts {
		oifname . ip daddr & 255.255.255.0 @peer_egress_24 ${allow}accept comment "same network on another host"
		ip daddr . oifname @peer_egress ${allow}accept comment "same network on another host"
	}

	chain to_bridge {
		ct status dnat oifname != @internal_bridges ${allow}accept comment "published ports"${acceptIcc(allow)}
		oifname . ip saddr @cluster_bridges goto from_parts
		oifname @peer_bridges ip saddr != @cluster_subnets jump from_peers
		ip saddr . ip daddr . meta l4proto . th dport @link_allow ${allow}accept comment "links"
		ip daddr . meta l4proto . th dport @direct_ports jump to_direct_port
		iifname . oifname @no_icc_bridges drop comment "icc=false"
		oifname @unprotected_bridges ${allow}accept comment "nat-unprotected"
		oifname @routed_bridges icmp type echo-request ${allow}accept comment "routed"
		drop comment "neither published nor linked"
	}

	chain from_parts {
		iifname . ip saddr & 255.255.255.0 @peer_ingress_24 ${allow}goto established comment "same network on another host"
		ip saddr . iifname @peer_ingress ${allow}accept comment "same network on another host"
		drop comment "no part of the network"
	}

	chain from_peers {
		iifname . ip saddr & 255.255.255.0 @peer_ingress_24 ${allow}goto established comment "peers"
		ip saddr . iifname @peer_ingress ${allow}accept comment "peers"
		ip saddr @peers iifname != @bridges ${allow}accept comment "peers set by the administrator"
	}
${toDirectPortChain(allow)}
	chain output {
		type filter hook output priority 0; policy accept;
		icmp type redirect oifname @bridges drop comment "icc=false: no redirects"
	}
`;

export interface TableOptions {
  /** Mark packets to published ports for bridges with icc=false, which see them with br_netfilter. */
  marks: boolean;
  /** Drop packets between interfaces that are not Netyard's. */
  routesOnlyOwn: boolean;
  /** Drop frames with foreign source addresses: see bridge-table.ts. */
  checksSources: boolean;
  /** Mark accepted packets for the guard, which drops all others: see guard.ts. */
  guarded: boolean;
  /** Undefined: no network has IPv6, so the host's IPv6 traffic passes no table of Netyard. */
  ipv6: Ipv6TableOptions | undefined;
}

export function planTables(options: TableOptions): NftTableObject[] {
  const { routesOnlyOwn, checksSources, ipv6 } = options;
  const optional = planOptionalRules(options);
  const body = planBody(optional) + optional.chains;
  const setsBridged = routesOnlyOwn || ipv6?.routesOnlyOwn === true;
  const bridgeBody = planBridgeBody({ routesOnlyOwn: setsBridged, checksSources });
  return [
    { kind: 'nft-table', family: 'ip', name: tableName, body, formerSets },
    ...(ipv6 ? [planIpv6Table(ipv6, options)] : []),
    { kind: 'nft-table', family: 'bridge', name: tableName, body: bridgeBody },
  ];
}

const planIpv6Table = (ipv6: Ipv6TableOptions, options: TableOptions): NftTableObject => ({
  ...{ kind: 'nft-table', family: 'ip6', name: tableName, body: planIpv6Body(ipv6, options) },
});

export type NetyardSet = BridgeSet | Ipv6Set | PeerSet | 'masqueraded_24' | 'peers';

/** Sets whose elements are created and deleted with an endpoint. */
export const endpointSets: readonly NetyardSet[] = [
  ...bridgeSets,
  'link_allow',
  'hairpin',
  'direct_ports',
  'published',
  'published_any',
];
/** Sets whose elements belong to networks. */
export const networkSets: readonly NetyardSet[] = [
  'bridges',
  'internal_bridges',
  'icc_bridges',
  'no_icc_bridges',
  'unprotected_bridges',
  'routed_bridges',
  'peer_bridges',
  'cluster_subnets',
  'cluster_bridges',
  'trusted_ingress',
  'gateways',
  'masqueraded',
  'masqueraded_24',
  'masqueraded_64',
  'source_addresses',
  'engine_bridges',
];

/** The families of Netyard's tables. */
export type TableFamily = 'ip' | 'ip6' | 'bridge';

/** The tables of the address families. */
export const tableFamilies = { v4: 'ip', v6: 'ip6' } as const satisfies Record<Family, TableFamily>;

const has = (sets: readonly NetyardSet[], set: NetyardSet): boolean => sets.includes(set);

/** The tables that have a set of this name; without networks with IPv6 there is no table `ip6 netyard`. */
export function tablesOf(set: NetyardSet, { ipv6 }: { ipv6: boolean }): TableFamily[] {
  if (has(bridgeSets, set)) return ['bridge'];
  const six: TableFamily[] = ipv6 && has(ipv6Sets, set) ? ['ip6'] : [];
  return set === 'masqueraded_64' ? six : ['ip', ...six];
}

export interface ElementOptions {
  value?: string;
  comment?: string;
  /** Default: `bridge` for its sets, otherwise `ip`. */
  family?: TableFamily;
}

export function element(set: NetyardSet, key: string, options: ElementOptions): NftElementObject {
  const family = has(bridgeSets, set) ? 'bridge' : 'ip';
  return { kind: 'nft-element', family, table: tableName, set, key, ...options };
}
