/**
 * The tunnel to peers without a route on a shared link: one VXLAN interface for all of them (RFC 7348), without learning
 * and without multicast. The MAC of each peer and the host behind it are configured entries: see plan.ts. Pure.
 */
import { formatIp, formatMac, ipFromBytes, ipToBytes, ownerPrefix, parseIp, parseMac } from '@netyard/core';
import type { KernelObject } from '@netyard/kernel';

export const tunnelLink = 'ny-vxlan';
/** `ny` in ASCII; distinguishes it from other VXLANs on the same port. */
export const tunnelId = 0x6e79;
/** Assigned by IANA. */
export const tunnelPort = 4789;
/** Outer IPv4 header, UDP, VXLAN, inner Ethernet header. */
export const tunnelOverhead = 50;

/** RFC 8200, section 5: Linux has no IPv6, and no settings of it, on an interface with a smaller MTU. */
export const leastIpv6Mtu = 1280;

const macStart = [0x02, 0x6e];

/**
 * The MAC of a host's end of the tunnel: locally administered, derived from the address by which its peers know it, so
 * that both sides compute the same value.
 */
export const tunnelMac = (address: string): string =>
  formatMac(Uint8Array.from([...macStart, ...ipToBytes(parseIp(address))]));

/** The address from which a MAC was derived; undefined for other MACs. */
export function addressOfMac(mac: string): string | undefined {
  const bytes = parseMac(mac);
  return macStart.every((byte, index) => bytes[index] === byte) ? formatIp(ipFromBytes(bytes.subarray(2))) : undefined;
}

const linkLocal = 0xfe80n << 112n;

/**
 * The gateway of the routes to a peer's IPv6 subnets: a link-local address derived from the peer's IPv4 address. Its
 * neighbour entry leads to the peer's MAC. No packet contains it, so the peer does not have it.
 */
export const ipv6Gateway = (address: string): string =>
  formatIp({ family: 6, value: linkLocal | parseIp(address).value });

/** The address from which a gateway was derived; an address of a peer itself is returned unchanged. */
export function addressOfGateway(gateway: string): string {
  const ip = parseIp(gateway);
  const value = ip.family === 6 ? ip.value - linkLocal : -1n;
  return value >= 0n && value < 1n << 32n ? formatIp({ family: 4, value }) : gateway;
}

export interface Tunnel {
  /** This host's address, by which the peers know it. */
  local: string;
  /** Largest inner packet that fits into one packet of the uplink. */
  mtu: number;
  /** At least one peer is reached through it. Otherwise it only receives from peers that choose the tunnel. */
  inUse: boolean;
  /** At least one peer has IPv6 subnets. */
  ipv6: boolean;
}

/**
 * rp_filter 2 (RFC 3704, loose): the two directions between hosts may use different paths, route and tunnel.
 */
export function planTunnel({ local, mtu, ipv6 }: Tunnel, facts: { ipv6: boolean }): KernelObject[] {
  return [
    {
      kind: 'vxlan',
      ...{ name: tunnelLink, id: tunnelId, port: tunnelPort, local, mac: tunnelMac(local), mtu },
      ...{ owner: `${ownerPrefix}tunnel to peers`, up: true },
    },
    ...(facts.ipv6 && mtu >= leastIpv6Mtu ? planIpv6(ipv6) : []),
    { kind: 'sysctl', key: `net.ipv4.conf.${tunnelLink}.rp_filter`, value: '2' },
  ];
}

/** IPv6 is disabled unless a peer needs it. The interface has no IPv6 address (addr_gen_mode 1) either way. */
function planIpv6(isNeeded: boolean): KernelObject[] {
  const set = (key: string, value: string): KernelObject => ({
    ...{ kind: 'sysctl', key: `net.ipv6.conf.${tunnelLink}.${key}`, value },
  });
  if (!isNeeded) return [set('disable_ipv6', '1')];
  return [set('addr_gen_mode', '1'), set('accept_ra', '0'), set('disable_ipv6', '0')];
}
