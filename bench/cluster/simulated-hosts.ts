/** Simulated hosts, which exist only as keys in etcd: name, address and subnet of the n-th one. Pure. */
import type { SimulatedHost } from '../../packages/cluster/bench/simulated-members.ts';

/** The switch of all lab hosts. No host has the addresses of simulated ones, and none sends to them. */
export const labSwitch = '172.16.0.0/16';
/** The uplink of each lab host. */
export const uplink = 'ens33';
/** The pool of each cluster; its first subnet is the daemon's own. */
export const pool = { subnet: '10.64.0.0/11', subnetSize: 24 } as const;
export const ownBip = '10.64.0.1/24';
/** The largest number of simulated hosts: the number of subnets besides the daemon's. */
export const mostHosts = 2 ** (24 - 11) - 1;

/** @param number from 1 */
export function simulatedHost(number: number): SimulatedHost {
  if (!Number.isInteger(number) || number < 1 || number > mostHosts)
    throw new RangeError(`host ${number} is not from 1 to ${mostHosts}`);
  const [high, low] = [number >> 8, number & 255];
  return { name: `simulated${number}`, address: `172.16.${16 + high}.${low}`, subnet: `10.${64 + high}.${low}.0/24` };
}

/** @param from number of the first one */
export const simulatedHosts = (from: number, count: number): SimulatedHost[] =>
  Array.from({ length: count }, (_, index) => simulatedHost(from + index));
