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
export const bridgeSets = [
  'isolated_ports',
  'checked_ports',
  'endpoint_macs',
  'endpoint_addresses',
  'endpoint_addresses6',
  'endpoint_targets',
  'endpoint_lladdrs',
  'relayed_ports',
  'relayed_ports_any',
  'relay_denied_ports',
] as const;

export type BridgeSet = (typeof bridgeSets)[number];

/**
 * Sets:
 * - `isolated_ports`: ports of containers that may not talk freely (icc=false): all frames between them are dropped;
 * - `checked_ports`: ports whose frames are checked for foreign source addresses; `endpoint_macs` and
 *   `endpoint_addresses`, `endpoint_addresses6`: the addresses of each checked port. For neighbour discovery the same
 *   addresses once more, as numbers: `endpoint_targets` (IPv6) and `endpoint_lladdrs` (MAC), since nft before 1.0.8 has
 *   no names for these fields;
 * - `relayed_ports`, `relayed_ports_any` (all addresses of the host): ports that the daemon relays, which are not for
 *   the containers of internal networks, `relay_denied_ports`: no forward chain sees their packets.
 */
export const planBridgeBody = ({ routesOnlyOwn, checksSources }: BridgeTableOptions): string => `
	set isolated_ports { type ifname; }
	set checked_ports { type ifname; }
	set endpoint_macs { type ifname . ether_addr; }
	set endpoint_addresses { type ifname . ether_addr . ipv4_addr; }
	set endpoint_addresses6 { type ifname . ether_addr . ipv6_addr; }
	set endpoint_targets { typeof iifname . ether saddr . @th,64,128; }
	set endpoint_lladdrs { typeof iifname . ether saddr . @th,208,48; }
	set relayed_ports { type ipv6_addr . inet_proto . inet_service; }
	set relayed_ports_any { type inet_proto . inet_service; }
	set relay_denied_ports { type ifname; }

	chain relay {
		type filter hook input priority 0; policy accept;
		meta protocol ip6 iifname @relay_denied_ports goto deny_relayed
	}

	chain deny_relayed {
		ip6 daddr . meta l4proto . th dport @relayed_ports drop comment "internal"
		meta l4proto . th dport @relayed_ports_any drop comment "internal"
	}

	chain forward {
		type filter hook forward priority -200; policy accept;
		iifname @isolated_ports oifname @isolated_ports meta mark & ${publishedMark} == 0 drop comment "icc=false"${routesOnlyOwn ? `\n\t\t${setBridged}` : ''}
	}
${checksSources ? sourceChains : ''}${routesOnlyOwn ? clearBridged : ''}`;

/**
 * Anti-spoofing. Before the bridge learns the source MAC, so that its forwarding table stays correct as well. One lookup
 * accepts an IPv4 packet with correct addresses. Dropped are, from a checked port: a foreign source MAC, IP packets and ARP
 * with a foreign sender, what DHCP servers send (to port 68, and 546 of IPv6), and all that IPv6 routers send. Router
 * solicitations are dropped, too: no router answers, and their option would change neighbour caches.
 * The sender 0.0.0.0 in ARP is a probe for duplicates (RFC 5227, section 2.1.1), which enters no ARP cache.
 *
 * Neighbour discovery (RFC 4861): a solicitation or advertisement has the port's own source address, an advertisement its
 * own target. It has no option (24 bytes), or the port's own MAC as the only one (32 bytes, type 1 or 2): an option changes
 * neighbour caches, whatever the frame's source. A solicitation from :: is a probe for duplicates (RFC 4862), which enters
 * no neighbour cache; with the target of a neighbour it would take that one's address away. Extension headers, in which a
 * message could hide, are dropped; fragments are ignored by receivers (RFC 6980).
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
		meta protocol ip6 goto check_ip6
	}

	chain check_ip6 {
		icmpv6 type { nd-router-solicit, nd-router-advert, nd-redirect, mld-listener-query } drop comment "IPv6 router"
		udp dport 546 drop comment "DHCPv6 server"
		icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } goto check_nd
		iifname . ether saddr . ip6 saddr @endpoint_addresses6 accept
		ip6 saddr :: icmpv6 type { mld-listener-report, mld2-listener-report } accept comment "before it has an address"
		drop comment "foreign IPv6 address"
	}

	chain check_nd {
		ip6 nexthdr != ipv6-icmp drop comment "extension header"
		icmpv6 type nd-neighbor-solicit ip6 saddr :: iifname . ether saddr . @th,64,128 @endpoint_targets accept comment "probe"
		iifname . ether saddr . ip6 saddr != @endpoint_addresses6 drop comment "foreign IPv6 address"
		icmpv6 type nd-neighbor-advert iifname . ether saddr . @th,64,128 != @endpoint_targets drop comment "foreign IPv6 address"
		ip6 length 24 accept
		ip6 length 32 @th,192,16 { 0x0101, 0x0201 } iifname . ether saddr . @th,208,48 @endpoint_lladdrs accept
		drop comment "foreign MAC address"
	}

	chain check_arp {
		iifname . arp saddr ether . arp saddr ip @endpoint_addresses accept
		arp operation request arp saddr ip 0.0.0.0 accept comment "probe"
		drop comment "foreign IPv4 address"
	}
`;
