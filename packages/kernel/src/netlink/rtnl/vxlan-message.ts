/** Encodes and decodes the VXLAN attributes of link messages (RFC 7348; IFLA_VXLAN_* of linux/if_link.h). Pure. */
import { formatIp, ipFromBytes, ipToBytes, NetyardError, parseIp } from '@netyard/core';
import { type Attribute, type Attributes, be16, bytes, u8, u32 } from '../attribute.ts';

const IFLA_VXLAN = {
  ...{ ID: 1, LOCAL: 4, LEARNING: 7, PORT: 15, LOCAL6: 17, UDP_ZERO_CSUM6_TX: 19, UDP_ZERO_CSUM6_RX: 20 },
} as const;

export interface VxlanSettings {
  /** VXLAN network identifier, 24 bits. */
  id: number;
  /**
   * Source address of the tunnel, whose family is that of all remote hosts. Default: the IPv4 address that the route
   * selects.
   */
  local?: string;
  /** UDP port of all participating hosts. */
  port: number;
  /** Whether forwarding entries are learned from received packets. */
  learning: boolean;
}

export interface DecodedVxlan extends VxlanSettings {
  /**
   * UDP over IPv6 without checksums is sent or accepted (RFC 6935). Off by default, and never set here: the IPv6 header
   * has no checksum of its own.
   */
  zeroChecksums: boolean;
}

/** Throws `invalid` for numbers out of range. */
export function checkVxlan({ id, local, port }: Omit<VxlanSettings, 'learning'>): void {
  if (!Number.isInteger(id) || id < 0 || id >= 1 << 24) throw new NetyardError('invalid', `invalid VXLAN id ${id}`);
  if (!Number.isInteger(port) || port < 1 || port > 65535) throw new NetyardError('invalid', `invalid port ${port}`);
  if (local !== undefined) parseIp(local);
}

/** IFLA_INFO_DATA of a new VXLAN link. */
export function encodeVxlan(vxlan: VxlanSettings): Attribute[] {
  return [
    u32(IFLA_VXLAN.ID, vxlan.id),
    be16(IFLA_VXLAN.PORT, vxlan.port),
    u8(IFLA_VXLAN.LEARNING, vxlan.learning ? 1 : 0),
    ...encodeLocal(vxlan.local),
  ];
}

/** The local address: besides learning, the only VXLAN attribute that an existing link can change. */
export function encodeLocal(local: string | undefined): Attribute[] {
  if (local === undefined) return [];
  const ip = parseIp(local);
  return [bytes(ip.family === 4 ? IFLA_VXLAN.LOCAL : IFLA_VXLAN.LOCAL6, ipToBytes(ip))];
}

export function decodeVxlan(data: Attributes): DecodedVxlan {
  const local = data.bytes(IFLA_VXLAN.LOCAL) ?? data.bytes(IFLA_VXLAN.LOCAL6);
  return {
    id: data.u32(IFLA_VXLAN.ID) ?? 0,
    port: data.be16(IFLA_VXLAN.PORT) ?? 0,
    learning: data.u8(IFLA_VXLAN.LEARNING) === 1,
    zeroChecksums: [IFLA_VXLAN.UDP_ZERO_CSUM6_TX, IFLA_VXLAN.UDP_ZERO_CSUM6_RX].some((type) => data.u8(type) === 1),
    ...(local === undefined || local.every((byte) => byte === 0) ? {} : { local: formatIp(ipFromBytes(local)) }),
  };
}
