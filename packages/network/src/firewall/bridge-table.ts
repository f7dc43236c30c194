/**
 * Plans the body of table `bridge netyard`, for frames from and between the ports of Netyard's bridges. Its chains are
 * static as those of `ip netyard`: endpoints are elements. Pure.
 */
import { clearBridged, publishedMark, setBridged } from './marks.ts';

export interface BridgeTableOptions {
  /** As in `TableOptions`. */
  routesOnlyOwn: boolean;
  checksSources: boolean;
}

/** Sets of this table; all their elements belong to endpoints. */
export const bridgeSets = ['isolated_ports', 'checked_ports', 'endpoint_macs', 'endpoint_addresses'] as const;

export type BridgeSet = (typeof bridgeSets)[number];

/**
 * Sets:
 * - `isolated_ports`: ports of containers that may not talk freely (icc=false): all frames between them are dropped;
 * - `checked_ports`: ports whose frames are checked for foreign source addresses; `endpoint_macs` and
 *   `endpoint_addresses`: the addresses of each checked port.
 */
export const planBridgeBody = ({ routesOnlyOwn, checksSources }: BridgeTableOptions): string => `
	set isolated_ports { type ifname; }
	set checked_ports { type ifname; }
	set endpoint_macs { type ifname . ether_addr; }
	set endpoint_addresses { type ifname . ether_addr . ipv4_addr; }

	chain forward {
		type filter hook forward priority -200; policy accept;
		iifname @isolated_ports oifname @isolated_ports meta mark & ${publishedMark} == 0 drop comment "icc=false"${routesOnlyOwn ? `\n\t\t${setBridged}` : ''}
	}
${checksSources ? sourceChains : ''}${routesOnlyOwn ? clearBridged : ''}`;

/**
 * Anti-spoofing. Before the bridge learns the source MAC, so that its forwarding table stays correct as well. One lookup
 * accepts an IPv4 packet with correct addresses. Dropped are, from a checked port: a foreign source MAC, IPv4 and ARP with
 * a foreign sender, what DHCP servers send (to port 68, and 546 of IPv6), and IPv6's router advertisements and redirects.
 * The sender 0.0.0.0 in ARP is a probe for duplicates (RFC 5227, section 2.1.1), which enters no ARP cache.
 */
const sourceChains = `
	chain check_sources {
		type filter hook prerouting priority -300; policy accept;
		udp dport 68 iifname @checked_ports drop comment "DHCP server"
		iifname . ether saddr . ip saddr @endpoint_addresses accept
		iifname @checked_ports goto check_source
	}

	chain check_source {
		iifname . ether saddr != @endpoint_macs drop comment "foreign MAC address"
		meta protocol ip drop comment "foreign IPv4 address"
		meta protocol arp goto check_arp
		icmpv6 type { nd-router-advert, nd-redirect } drop comment "IPv6 router"
		udp dport 546 drop comment "DHCPv6 server"
	}

	chain check_arp {
		iifname . arp saddr ether . arp saddr ip @endpoint_addresses accept
		arp operation request arp saddr ip 0.0.0.0 accept comment "probe"
		drop comment "foreign IPv4 address"
	}
`;
