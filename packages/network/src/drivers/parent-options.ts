/** Options that networks share: the MTU, and the parent of those on an interface of the host. Docker's messages. Pure. */
import { NetyardError } from '@netyard/core';
import { valuesOf } from '../family.ts';
import { carriesIpv6, smallestIpv6Mtu } from './addresses.ts';
import { validateAdvertisement } from './advertisement.ts';
import type { NetworkSpec } from './driver.ts';

/** Of Ethernet interfaces (linux/if_ether.h ETH_MIN_MTU and ETH_MAX_MTU). */
const smallestMtu = 68;
const largestMtu = 65_535;

export const mtuOption = 'com.docker.network.driver.mtu';

/** @param mtu 0 = the default */
export function validateMtu(mtu: number, { ipam }: Pick<NetworkSpec, 'ipam'>): NetyardError[] {
  if (mtu === 0) return [];
  if (!(mtu >= smallestMtu && mtu <= largestMtu)) return [new NetyardError('invalid', `invalid MTU number: ${mtu}`)];
  if (ipam.v6 === undefined || carriesIpv6(mtu)) return [];
  return [new NetyardError('invalid', `invalid MTU number: ${mtu} (IPv6 requires at least ${smallestIpv6Mtu})`)];
}

/** @param driver Docker's name */
export function validateParentOptions(driver: string, { ipam, options }: NetworkSpec): NetyardError[] {
  const { parent = '', [mtuOption]: mtu = '0' } = options;
  const errors: NetyardError[] = [];
  if (valuesOf(ipam).length === 0) errors.push(new NetyardError('invalid', 'IPv4 or IPv6 must be enabled'));
  if (parent === 'lo')
    errors.push(new NetyardError('failed', `loopback interface is not a valid ${driver} parent link`));
  if (/^\d+$/.test(mtu)) errors.push(...validateMtu(Number(mtu), { ipam }));
  else errors.push(new NetyardError('invalid', `invalid MTU number: ${mtu}`));
  return [...errors, ...validateAdvertisement(options)];
}
