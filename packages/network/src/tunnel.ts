/**
 * The tunnel to peers that no route reaches: one VXLAN link for all of them (RFC 7348), which learns nothing and asks
 * nobody. Behind which host each MAC is, and which MAC each peer has, is written down with the peer: see plan/peer.ts.
 * Pure.
 */
import { formatIp, formatMac, ipFromBytes, ipToBytes, parseIp, parseMac } from '@netyard/core';
import type { KernelObject } from '@netyard/kernel';
import { ownerPrefix } from './object-names.ts';

export const tunnelLink = 'ny-vxlan';
/** `ny` in ASCII; others' VXLAN on the same port has other numbers. */
export const tunnelId = 0x6e79;
/** IANA's. */
export const tunnelPort = 4789;
/** Outer IPv4 header, UDP, VXLAN, inner Ethernet header. */
export const tunnelOverhead = 50;

const macStart = [0x02, 0x6e];

/**
 * The MAC of a host's end of the tunnel: locally administered, made from the address by which its peers know it, so that
 * both sides work it out and nothing has to be told.
 */
export const tunnelMac = (address: string): string =>
  formatMac(Uint8Array.from([...macStart, ...ipToBytes(parseIp(address))]));

/** The address that a MAC was made from; undefined when it was not. */
export function addressOfMac(mac: string): string | undefined {
  const bytes = parseMac(mac);
  return macStart.every((byte, index) => bytes[index] === byte) ? formatIp(ipFromBytes(bytes.subarray(2))) : undefined;
}

export interface Tunnel {
  /** Our address, by which the peers know us. */
  local: string;
  /** What fits into one packet of the uplink. */
  mtu: number;
  /** Some peer is reached through it. Otherwise it stands ready for those who reach us that way. */
  inUse: boolean;
}

/**
 * rp_filter 2: who is sent to by a route may answer through the tunnel, and the other way round (RFC 3704, loose). No
 * IPv6 addresses: nothing is to answer there.
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
