/** Hosts that are only keys in etcd: the n-th one's name, address and subnet. Pure. */
import type { SimulatedHost } from '../../packages/cluster/bench/simulated-members.ts';

/** All hosts of the lab are on it; nobody is where the played ones are, and nobody sends to them. */
export const labSwitch = '172.16.0.0/16';
/** Of each host of the lab. */
export const uplink = 'ens33';
/** Of each cluster; its first subnet is the daemon's own. */
export const pool = { subnet: '10.64.0.0/11', subnetSize: 24 } as const;
export const ownBip = '10.64.0.1/24';
/** Of the played ones: as many as there are subnets besides the daemon's. */
export const mostHosts = 2 ** (24 - 11) - 1;

/** From 1. */
export function simulatedHost(number: number): SimulatedHost {
  if (!Number.isInteger(number) || number < 1 || number > mostHosts)
    throw new RangeError(`there are hosts from 1 to ${mostHosts}, not ${number}`);
  const [high, low] = [number >> 8, number & 255];
  return { name: `played${number}`, address: `172.16.${16 + high}.${low}`, subnet: `10.${64 + high}.${low}.0/24` };
}

/** From the number `from` on. */
export const simulatedHosts = (from: number, count: number): SimulatedHost[] =>
  Array.from({ length: count }, (_, index) => simulatedHost(from + index));
