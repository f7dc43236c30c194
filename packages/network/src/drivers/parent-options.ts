/** Options that networks on an interface of the host share: the parent and the MTU. Docker's messages. Pure. */
import { NetyardError } from '@netyard/core';
import { valuesOf } from '../family.ts';
import { validateAdvertisement } from './advertisement.ts';
import type { NetworkSpec } from './driver.ts';

/** Of Ethernet interfaces (linux/if_ether.h ETH_MAX_MTU). */
export const largestMtu = 65_535;

export const mtuOption = 'com.docker.network.driver.mtu';

/** @param driver Docker's name */
export function validateParentOptions(driver: string, { ipam, options }: NetworkSpec): NetyardError[] {
  const { parent = '', [mtuOption]: mtu = '0' } = options;
  const errors: NetyardError[] = [];
  if (valuesOf(ipam).length === 0) errors.push(new NetyardError('invalid', 'IPv4 or IPv6 must be enabled'));
  if (parent === 'lo')
    errors.push(new NetyardError('failed', `loopback interface is not a valid ${driver} parent link`));
  if (!/^\d+$/.test(mtu) || Number(mtu) > largestMtu)
    errors.push(new NetyardError('invalid', `invalid MTU number: ${mtu}`));
  return [...errors, ...validateAdvertisement(options)];
}
