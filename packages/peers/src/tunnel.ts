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

export interface Tunnel {
  /** This host's address, by which the peers know it. */
  local: string;
  /** Largest inner packet that fits into one packet of the uplink. */
  mtu: number;
  /** At least one peer is reached through it. Otherwise it only receives from peers that choose the tunnel. */
  inUse: boolean;
}

/**
 * rp_filter 2 (RFC 3704, loose): the two directions between hosts may use different paths, route and tunnel. IPv6 is
 * disabled, so that the interface has no IPv6 address.
 */
export function planTunnel({ local, mtu }: Tunnel, facts: { ipv6: boolean }): KernelObject[] {
  return [
    {
      kind: 'vxlan',
      ...{ name: tunnelLink, id: tunnelId, port: tunnelPort, local, mac: tunnelMac(local), mtu },
      ...{ owner: `${ownerPrefix}tunnel to peers`, up: true },
    },
    ...(facts.ipv6 ? [{ kind: 'sysctl', key: `net.ipv6.conf.${tunnelLink}.disable_ipv6`, value: '1' } as const] : []),
    { kind: 'sysctl', key: `net.ipv4.conf.${tunnelLink}.rp_filter`, value: '2' },
  ];
}
