/**
 * Plans the sets and chains that `ip netyard` (table.ts) and `ip6 netyard` (ipv6-table.ts) share. Sets and the source
 * addresses of packets are explained in table.ts. Pure.
 */
import { foreignForward, gotoForeignForward } from './foreign-forward.ts';
import { clearAllowed, setAllowed } from './guard.ts';
import { publishedMark } from './marks.ts';

type AddressFamily = 'ip' | 'ip6';

const addressTypes: Record<AddressFamily, string> = { ip: 'ipv4_addr', ip6: 'ipv6_addr' };

export const interfaceSets = `
	set bridges { type ifname; }
	set ip_forward_enabled { type ifname; }
	set engine_bridges { type ifname; }
	set icc_bridges { type ifname . ifname; }
	set no_icc_bridges { type ifname . ifname; }
	set internal_bridges { type ifname; }
	set unprotected_bridges { type ifname; }
	set routed_bridges { type ifname; }
	set peer_bridges { type ifname; }`;

export const clusterSets = (family: AddressFamily): string => `
	set cluster_subnets { type ${addressTypes[family]}; flags interval; }
	set cluster_bridges { type ifname . ${addressTypes[family]}; flags interval; }`;

export const ingressSets = (family: AddressFamily): string => `
	set trusted_ingress { type ifname . ifname; }
	set gateways { type ${addressTypes[family]}; }
	set masqueraded { type ${addressTypes[family]}; flags interval; }`;

export function portSets(family: AddressFamily): string {
  const address = addressTypes[family];
  return `
	set link_allow { type ${address} . ${address} . inet_proto . inet_service; }
	set hairpin { type ${address} . ${address}; }
	set direct_ports { type ${address} . inet_proto . inet_service; }
	map source_addresses { type ${address} : ${address}; flags interval; }
	map published { type ${address} . inet_proto . inet_service : ${address} . inet_service; }
	map published_any { type inet_proto . inet_service : ${address} . inet_service; }
`;
}

export const publishChain = (family: AddressFamily): string => `
	chain publish {
		dnat to ${family} daddr . meta l4proto . th dport map @published
		fib daddr type local dnat to meta l4proto . th dport map @published_any
	}
`;

/** @param allow precedes the verdict of each rule that accepts */
export const noNatChain = (allow: string): string => `
	chain no_nat {
		${allow}accept comment "to peers"
	}
`;

export const mssClampChain = `
	chain mss_clamp {
		oifname @bridges tcp option maxseg size set rt mtu comment "clamp MSS to path MTU"
		iifname @bridges tcp option maxseg size set rt mtu comment "clamp MSS to path MTU"
	}
`;

/** A rule: packets within a bridge whose containers may talk freely. */
export const acceptIcc = (allow: string): string => `
		iifname . oifname @icc_bridges ${allow}accept comment "icc"`;

export const toDirectPortChain = (allow: string): string => `
	chain to_direct_port {
		oifname @routed_bridges ${allow}accept comment "published ports, routed"
		iifname . oifname @trusted_ingress ${allow}accept comment "published ports, from a trusted interface"
	}
`;

const markPublishedChain = `
	chain mark_published {
		type filter hook prerouting priority -90; policy accept;
		ct status dnat iifname @bridges iifname . iifname != @icc_bridges meta mark set meta mark | ${publishedMark}
	}
`;

/** As in `TableOptions`. */
export interface OptionalRules {
  marks: boolean;
  routesOnlyOwn: boolean;
  guarded: boolean;
}

/** What the options add to a table: within its rules (`allow`, `gotoForeign`), and chains after all others. */
export function planOptionalRules({ marks, routesOnlyOwn, guarded }: OptionalRules): {
  allow: string;
  gotoForeign: string;
  chains: string;
} {
  const allow = guarded ? setAllowed : '';
  const chains = [
    routesOnlyOwn ? foreignForward(allow) : '',
    marks ? markPublishedChain : '',
    guarded ? clearAllowed : '',
  ];
  return { allow, gotoForeign: routesOnlyOwn ? gotoForeignForward : '', chains: chains.join('') };
}
