/**
 * The tunnels to peers without a route on a shared link: one VXLAN interface for all of them (RFC 7348), or one for each
 * address family of peers, without learning and without multicast. The MAC of each peer and the host behind it are
 * configured entries: see plan.ts. Pure.
 */
import { createHash } from 'node:crypto';
import { formatIp, formatMac, ipToBytes, ownerPrefix, parseIp, parseMac } from '@netyard/core';
import type { KernelObject } from '@netyard/kernel';
import { type OuterFamily, outerFamilyOf } from './outer-family.ts';
import { ipv6TunnelLink, planTunnelTable, tunnelId, tunnelPort } from './tunnel-table.ts';

export const ipv4TunnelLink = 'ny-vxlan';
/** An interface has one outer family: its socket and all its forwarding entries are of that one. */
export const tunnelLinks = { v4: ipv4TunnelLink, v6: ipv6TunnelLink } as const satisfies Record<OuterFamily, string>;
/** Both interfaces in a rule of nft(8). */
export const anyTunnelLink = 'ny-vxlan*';
/** The tunnel in which a peer with this address is. */
export const tunnelLinkTo = (address: string): string => tunnelLinks[outerFamilyOf(address)];
export const isTunnelLink = (name: string): boolean => Object.values(tunnelLinks).some((link) => link === name);
/** Outer IP header of 20 or 40 bytes, UDP, VXLAN, inner Ethernet header. */
export const tunnelOverheads = { v4: 50, v6: 70 } as const satisfies Record<OuterFamily, number>;

/** RFC 8200, section 5: Linux has no IPv6, and no settings of it, on an interface with a smaller MTU. */
export const leastIpv6Mtu = 1280;

const ipv4MacStart = [0x02, 0x6e];
const ipv6MacStart = [0x06];

/**
 * The MAC of a host's end of the tunnel: locally administered, derived from the address by which its peers know it, so
 * that both sides compute the same value. Of an IPv6 address it is a hash of 40 bits: `PeerTable` rejects a second peer
 * with the same one.
 */
export function tunnelMac(address: string): string {
  const ip = parseIp(address);
  const bytes = ipToBytes(ip);
  if (ip.family === 4) return formatMac(Uint8Array.from([...ipv4MacStart, ...bytes]));
  const hash = createHash('sha256').update(bytes).digest().subarray(0, 5);
  return formatMac(Uint8Array.from([...ipv6MacStart, ...hash]));
}

const linkLocal = 0xfe80n << 112n;

/**
 * The gateway of routes through the tunnel, unless both the peer and the subnet are IPv4: a link-local address whose low
 * bits are the peer's IPv4 address, or its MAC. Its neighbour entry leads to the peer's MAC. No packet contains it, so the
 * peer does not have it.
 */
export function ipv6Gateway(address: string): string {
  const ip = parseIp(address);
  const low = ip.family === 4 ? ip.value : BigInt(`0x${tunnelMac(address).replaceAll(':', '')}`);
  return formatIp({ family: 6, value: linkLocal | low });
}

/** The MAC to which the neighbour entry of a gateway leads, whatever the entry contains. Undefined for other addresses. */
export function macOfGateway(gateway: string): string | undefined {
  const ip = parseIp(gateway);
  if (ip.family === 4) return tunnelMac(gateway);
  const low = ip.value - linkLocal;
  if (low < 0n || low >= 1n << 48n) return undefined;
  if (low < 1n << 32n) return tunnelMac(formatIp({ family: 4, value: low }));
  return formatMac(parseMac((low.toString(16).padStart(12, '0').match(/../g) ?? []).join(':')));
}

export interface Tunnel {
  /** This host's address, by which the peers know it; of their family. */
  local: string;
  /** Largest inner packet that fits into one packet of the uplink. */
  mtu: number;
  /** At least one peer is reached through it. Otherwise it only receives from peers that choose the tunnel. */
  inUse: boolean;
  /** At least one peer has IPv6 subnets, or an IPv6 address: then its routes have an IPv6 gateway. */
  ipv6: boolean;
}

/** At most one for each address family of peers. */
export type Tunnels = { readonly [family in OuterFamily]?: Tunnel };

/**
 * An IPv4 address of the interface that no packet has. Without any, the kernel accepts no source whose route leads past the
 * interface (`no_addr` in __fib_validate_source), whatever rp_filter says. An address of 127.0.0.0/8 is the host's own
 * already, cannot be reached from outside, and is the source of no packet to another host.
 */
const placeholders = { v4: '127.0.78.4/32', v6: '127.0.78.6/32' } as const satisfies Record<OuterFamily, string>;

/**
 * rp_filter 2 (RFC 3704, loose): the two directions between hosts may use different paths, route and tunnel.
 */
export function planTunnel({ local, mtu, ipv6 }: Tunnel, facts: { ipv6: boolean }): KernelObject[] {
  const name = tunnelLinkTo(local);
  return [
    ...(outerFamilyOf(local) === 'v6' ? [planTunnelTable()] : []),
    {
      kind: 'vxlan',
      ...{ name, id: tunnelId, port: tunnelPort, local, mac: tunnelMac(local), mtu },
      ...{ owner: `${ownerPrefix}tunnel to peers`, up: true },
    },
    ...(facts.ipv6 && mtu >= leastIpv6Mtu ? planIpv6(name, ipv6) : []),
    { kind: 'address', link: name, prefix: placeholders[outerFamilyOf(local)] },
    { kind: 'sysctl', key: `net.ipv4.conf.${name}.rp_filter`, value: '2' },
  ];
}

/** Everything that `planTunnel` may have created for this family, to be removed. */
export const planTunnelRemoval = (family: OuterFamily): KernelObject[] => [
  ...(family === 'v6' ? [planTunnelTable()] : []),
  { kind: 'vxlan', name: tunnelLinks[family], id: 0, port: 1, owner: '', up: false },
];

/** IPv6 is disabled unless a peer needs it. The interface has no IPv6 address (addr_gen_mode 1) either way. */
function planIpv6(link: string, isNeeded: boolean): KernelObject[] {
  const set = (key: string, value: string): KernelObject => ({
    ...{ kind: 'sysctl', key: `net.ipv6.conf.${link}.${key}`, value },
  });
  if (!isNeeded) return [set('disable_ipv6', '1')];
  return [set('addr_gen_mode', '1'), set('accept_ra', '0'), set('disable_ipv6', '0')];
}
