/** What a VXLAN link has of its own in link messages (RFC 7348; IFLA_VXLAN_* of linux/if_link.h). Pure. */
import { formatIp, ipFromBytes, ipToBytes, NetyardError, parseIp } from '@netyard/core';
import { type Attribute, type Attributes, be16, bytes, u8, u32 } from '../attribute.ts';

const IFLA_VXLAN = { ID: 1, LOCAL: 4, LEARNING: 7, PORT: 15 } as const;

export interface VxlanSettings {
  /** VXLAN network identifier, 24 bits. */
  id: number;
  /** IPv4 address from which packets are sent; the route's unless told. */
  local?: string;
  /** UDP port of all hosts that take part. */
  port: number;
  /** Whether addresses are learned from packets that come in. */
  learning: boolean;
}

/** Throws `invalid` for numbers out of range. */
export function checkVxlan({ id, local, port }: Omit<VxlanSettings, 'learning'>): void {
  if (!Number.isInteger(id) || id < 0 || id >= 1 << 24) throw new NetyardError('invalid', `invalid VXLAN id ${id}`);
  if (!Number.isInteger(port) || port < 1 || port > 65535) throw new NetyardError('invalid', `invalid port ${port}`);
  if (local !== undefined && parseIp(local).family !== 4)
    throw new NetyardError('invalid', `a VXLAN link sends from an IPv4 address: ${local}`);
}

/** IFLA_INFO_DATA of a new link. */
export function encodeVxlan(vxlan: VxlanSettings): Attribute[] {
  return [
    u32(IFLA_VXLAN.ID, vxlan.id),
    be16(IFLA_VXLAN.PORT, vxlan.port),
    u8(IFLA_VXLAN.LEARNING, vxlan.learning ? 1 : 0),
    ...encodeLocal(vxlan.local),
  ];
}

/** The only one of these that a link can change (besides learning) while it is there. */
export const encodeLocal = (local: string | undefined): Attribute[] =>
  local === undefined ? [] : [bytes(IFLA_VXLAN.LOCAL, ipToBytes(parseIp(local)))];

export function decodeVxlan(data: Attributes): VxlanSettings {
  const local = data.bytes(IFLA_VXLAN.LOCAL);
  return {
    id: data.u32(IFLA_VXLAN.ID) ?? 0,
    port: data.be16(IFLA_VXLAN.PORT) ?? 0,
    learning: data.u8(IFLA_VXLAN.LEARNING) === 1,
    ...(local === undefined || local.every((byte) => byte === 0) ? {} : { local: formatIp(ipFromBytes(local)) }),
  };
}
