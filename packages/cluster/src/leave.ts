/** How membership ends: a host gives back what it holds, or what a host that is gone still holds is given back. */
import { NetyardError } from '@netyard/core';
import { revokeLease } from './etcd/lease.ts';
import { listPrefix } from './etcd/list.ts';
import type { EtcdSession } from './etcd/session.ts';
import { empty, remove, unchanged } from './etcd/txn.ts';
import type { Joined } from './join.ts';
import { encodeKey, prefixOf } from './keys.ts';
import { readRecords } from './records.ts';

/** Host, names and subnet hang on the leases and go with them. */
export async function yieldSubnet(session: EtcdSession, leases: NonNullable<Joined['leases']>): Promise<void> {
  await revokeLease(session, leases.host);
  await revokeLease(session, leases.subnet);
}

/** The last one out takes the pool away: the next cluster of this name may have another one. */
export async function forgetPool(session: EtcdSession, cluster: string): Promise<void> {
  await session.kv.txn({
    compare: ['subnets/', 'hosts/'].map((folder) => empty(`${prefixOf(cluster)}${folder}`)),
    success: [remove(encodeKey(cluster, { kind: 'config' }))],
  });
}

/**
 * Gives back the subnets that are kept for a host which is not there. Returns them. `conflict` when it is there,
 * `not-found` when nothing is kept for it.
 */
export async function releaseSubnets(session: EtcdSession, cluster: string, host: string): Promise<string[]> {
  const { entries } = await listPrefix(session, prefixOf(cluster));
  const records = readRecords(cluster, entries);
  const living = records.hosts.get(host);
  if (living)
    throw new NetyardError('conflict', `host ${host} is there, at ${living.address}`, {
      hint: `run netyard cluster leave on ${host}`,
    });
  const held = [...records.subnets].filter(([, holder]) => holder.host === host);
  if (held.length === 0) throw new NetyardError('not-found', `no subnet is kept for a host ${host}`);
  const hostKey = encodeKey(cluster, { kind: 'host', name: host });
  const answer = await session.kv.txn({
    compare: [unchanged(hostKey, 0n), ...held.map(([, { entry }]) => unchanged(entry.key, entry.modRevision))],
    success: held.map(([, { entry }]) => remove(entry.key)),
  });
  if (!answer.succeeded) throw new NetyardError('conflict', `host ${host} has just come back`);
  for (const [, { entry }] of held) if (entry.lease !== 0n) await revokeLease(session, entry.lease);
  return held.map(([subnet]) => subnet);
}
