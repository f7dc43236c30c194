/** What joining needs of a cluster's keys: the pool, who holds which subnet, who is there. Pure. */
import { messageOf, NetyardError } from '@netyard/core';
import type { Entry } from './etcd/list.ts';
import { parseKey } from './keys.ts';
import { type HostValue, type Pool, parseHost, parsePool, parseSubnet, type SubnetValue } from './values.ts';

export interface Records {
  pool: { value: Pool; entry: Entry } | undefined;
  subnets: Map<string, SubnetValue & { entry: Entry }>;
  hosts: Map<string, HostValue & { entry: Entry }>;
  /** By key, readable or not. */
  entries: Map<string, Entry>;
}

/**
 * A subnet whose record is malformed counts as taken, by nobody that is known; a malformed host is left out. A
 * malformed pool throws `conflict`: nobody can join then.
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
    throw new NetyardError('conflict', `${entry.key} in etcd is not readable: ${messageOf(error)}`, {
      hint: 'delete it when no host is a member: the next one writes it anew',
      cause: error,
    });
  }
}

function subnetOf(entry: Entry): SubnetValue {
  try {
    return parseSubnet(entry.value);
  } catch {
    return { id: '', host: 'unknown', address: '' }; // told by the directory
  }
}

function hostOf(entry: Entry): HostValue | undefined {
  try {
    return parseHost(entry.value);
  } catch {
    return undefined; // told by the directory
  }
}
