/** Encodes and decodes the attributes of VLAN links (IFLA_VLAN_* of linux/if_link.h). Pure. */
import { NetyardError } from '@netyard/core';
import { type Attribute, type Attributes, u16 } from '../attribute.ts';

const IFLA_VLAN_ID = 1;

/** Throws `invalid`: 0 and 4095 are reserved (IEEE 802.1Q). */
export function checkVlanId(id: number): void {
  if (!Number.isInteger(id) || id < 1 || id > 4094) throw new NetyardError('invalid', `invalid VLAN id ${id}`);
}

/** IFLA_INFO_DATA; the kernel's default protocol is 802.1Q. */
export function encodeVlan(id: number): Attribute[] {
  checkVlanId(id);
  return [u16(IFLA_VLAN_ID, id)];
}

export const decodeVlanId = (data: Attributes): number | undefined => data.u16(IFLA_VLAN_ID);
