/** The state of a cluster's keys that joining needs: the pool, the owners of subnets, the members. Pure. */
import { messageOf, NetyardError } from '@netyard/core';
import type { Entry } from './etcd/list.ts';
import { parseKey } from './keys.ts';
import { type HostValue, type Pool, parseHost, parsePool, parseSubnet, type SubnetValue } from './values.ts';

export interface Records {
  pool: { value: Pool; entry: Entry } | undefined;
  subnets: Map<string, SubnetValue & { entry: Entry }>;
  hosts: Map<string, HostValue & { entry: Entry }>;
  /** All entries by key, valid or not. */
  entries: Map<string, Entry>;
}

/**
 * A subnet with a malformed record counts as taken by an unknown host; a malformed host is skipped. A malformed pool
 * throws `conflict`, because no host can join then.
 */
export function readRecords(cluster: string, entries: readonly Entry[]): Records {
  const records: Records = { pool: undefined, subnets: new Map(), hosts: new Map(), entries: new Map() };
  for (const entry of entries) {
    records.entries.set(entry.key, entry);
    const key = parseKey(cluster, entry.key);
    if (key?.kind === 'config') records.pool = { value: poolOf(entry), entry };
    else if (key?.kind === 'subnet') records.subnets.set(key.subnet, { ...subnetOf(entry), entry });
    else if (key?.kind === 'host') {
      const host = hostOf(entry);
      if (host) records.hosts.set(key.name, { ...host, entry });
    }
  }
  return records;
}

function poolOf(entry: Entry): Pool {
  try {
    return parsePool(entry.value);
  } catch (error) {
    throw new NetyardError('conflict', `invalid value of ${entry.key} in etcd: ${messageOf(error)}`, {
      hint: 'delete the key while no host is a member; the next host to join writes it again',
      cause: error,
    });
  }
}

function subnetOf(entry: Entry): SubnetValue {
  try {
    return parseSubnet(entry.value);
  } catch {
    return { id: '', host: 'unknown', address: '' }; // reported by the directory
  }
}

function hostOf(entry: Entry): HostValue | undefined {
  try {
    return parseHost(entry.value);
  } catch {
    return undefined; // reported by the directory
  }
}
