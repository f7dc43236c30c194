/** Errors that explain why a host cannot become a member. Pure. */
import { NetyardError } from '@netyard/core';
import { poolCount } from './pool.ts';
import type { Records } from './records.ts';
import type { Pool } from './values.ts';

const conflict = (message: string, hint: string): NetyardError => new NetyardError('conflict', message, { hint });

export function poolDiffers(cluster: string, actual: Pool, requested: Partial<Pool>): NetyardError {
  const size = requested.subnetSize === undefined ? '' : ` with subnets of /${requested.subnetSize}`;
  return conflict(
    `cluster ${cluster} has ${actual.subnet} with subnets of /${actual.subnetSize}; this host is configured with ${requested.subnet ?? actual.subnet}${size}`,
    'omit --cluster-subnet and --cluster-subnet-size to use the pool of the cluster',
  );
}

export const hostNameTaken = (cluster: string, name: string, address: string): NetyardError =>
  conflict(
    `cluster ${cluster} already has a host ${name} at ${address}`,
    'set another --cluster-host-name; if the other host is gone, wait until its lease expires',
  );

export const duplicateIdentity = (name: string, address: string): NetyardError =>
  conflict(
    `this host has the same identity as the member ${name} at ${address}: its data root is a copy`,
    'remove the folder cluster in the --data-root of the copy and restart its daemon',
  );

export const subnetTaken = (subnet: string, host: string, address: string): NetyardError =>
  conflict(
    `${subnet} belongs to host ${host}${address === '' ? '' : ` at ${address}`}`,
    'omit --bip to get a free subnet',
  );

/** The error of a pool without a free subnet; its hint lists hosts that are gone but still hold one. */
export function fullPool(pool: Pool, records: Records): NetyardError {
  const gone = [...records.subnets.values()].filter(({ host }) => !records.hosts.has(host)).map(({ host }) => host);
  const count = poolCount(pool);
  return conflict(
    `--cluster-subnet ${pool.subnet} is full: ${count === 1 ? 'its only subnet' : `none of its ${count} subnets`} of /${pool.subnetSize} is free`,
    gone.length === 0
      ? 'remove a host with `netyard cluster leave`'
      : `${gone.toSorted().join(', ')} hold${gone.length === 1 ? 's' : ''} one but ${gone.length === 1 ? 'is' : 'are'} gone: release it with \`netyard cluster release HOST\``,
  );
}
