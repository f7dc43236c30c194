/**
 * The table `ip6 netyard_tunnel`, which exists as long as the tunnel over IPv6: it drops VXLAN packets with Netyard's VNI
 * from any host but peers, and IPv6 packets inside the tunnel that are of no peer's subnet. Over IPv4, `ip netyard` does
 * the former; `ip6 netyard` exists for networks with IPv6 only. The packets inside the tunnel then pass the tables
 * `netyard` of their own family. Pure.
 */
import { tableName } from '@netyard/core';
import type { NftTableObject } from '@netyard/kernel';

/** `ny` in ASCII; distinguishes it from other VXLANs on the same port. */
export const tunnelId = 0x6e79;
/** Assigned by IANA. */
export const tunnelPort = 4789;

/** The interface of the tunnel over IPv6: see tunnel.ts. */
export const ipv6TunnelLink = 'ny-vxlan6';

export const tunnelTable = { family: 'ip6', table: `${tableName}_tunnel` } as const;

/** The destination port, and the VNI in the VXLAN header (RFC 7348, section 5). */
const isTunnel = `udp dport ${tunnelPort} @th,96,24 ${tunnelId}`;

/**
 * `ct state` keeps connection tracking registered, and with it the reassembly of fragments before all chains. Otherwise the
 * kernel reassembles after the input hook, where a fragment has no VNI, so that no rule would match.
 */
const body = `
	set tunnel_peers { type ipv6_addr; }
	set tunnel_subnets { type ipv6_addr; flags interval; }

	chain tunnel_in {
		type filter hook prerouting priority -300; policy accept;
		iifname "${ipv6TunnelLink}" ip6 saddr != @tunnel_subnets drop comment "no peer's subnet"
		${isTunnel} notrack comment "inner packets are tracked"
	}

	chain tunnel_out {
		type filter hook output priority -300; policy accept;
		${isTunnel} notrack comment "inner packets are tracked"
	}

	chain tunnel {
		type filter hook input priority -10; policy accept;
		${isTunnel} goto tunnel_outer
	}

	chain tunnel_outer {
		ct state untracked ip6 saddr @tunnel_peers accept
		drop comment "not from a peer"
	}
`;

export const planTunnelTable = (): NftTableObject => ({
  ...{ kind: 'nft-table', family: tunnelTable.family, name: tunnelTable.table, body },
});
