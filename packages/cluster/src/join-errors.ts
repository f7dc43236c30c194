/** Why a host cannot become a member, in words. Pure. */
import { NetyardError } from '@netyard/core';
import { poolCount } from './pool.ts';
import type { Records } from './records.ts';
import type { Pool } from './values.ts';

const conflict = (message: string, hint: string): NetyardError => new NetyardError('conflict', message, { hint });

export function poolDiffers(cluster: string, has: Pool, asked: Partial<Pool>): NetyardError {
  const size = asked.subnetSize === undefined ? '' : ` in pieces of /${asked.subnetSize}`;
  return conflict(
    `cluster ${cluster} has ${has.subnet} in pieces of /${has.subnetSize}; this host was given ${asked.subnet ?? has.subnet}${size}`,
    'every member has the same pool: leave --cluster-subnet and --cluster-subnet-size away to take the cluster’s',
  );
}

export const namesake = (cluster: string, name: string, address: string): NetyardError =>
  conflict(
    `cluster ${cluster} has a host ${name} already, at ${address}`,
    'give this one another --cluster-host-name; if the other is gone, its name is free when its lease ends',
  );

export const twins = (name: string, address: string): NetyardError =>
  conflict(
    `this host has the identity of ${name} at ${address}, which is there: its data root is a copy`,
    'remove the folder cluster in the copy’s --data-root, and start it again',
  );

export const subnetTaken = (subnet: string, host: string, address: string): NetyardError =>
  conflict(
    `${subnet} is the subnet of host ${host}${address === '' ? '' : ` at ${address}`}`,
    'leave --bip away to take a free one',
  );

/** Names those that hold a subnet without being there: theirs can be had. */
export function fullPool(pool: Pool, records: Records): NetyardError {
  const gone = [...records.subnets.values()].filter(({ host }) => !records.hosts.has(host)).map(({ host }) => host);
  const count = poolCount(pool);
  return conflict(
    `--cluster-subnet ${pool.subnet} is full: ${count === 1 ? 'its only subnet' : `none of its ${count} subnets`} of /${pool.subnetSize} is free`,
    gone.length === 0
      ? 'take a host out with netyard cluster leave'
      : `${gone.toSorted().join(', ')} hold${gone.length === 1 ? 's' : ''} one without being there: netyard cluster release HOST gives it back`,
  );
}
