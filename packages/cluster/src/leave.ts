/** Ends memberships: a host releases its keys, or the subnets of a host that is gone are released. */
import { NetyardError } from '@netyard/core';
import { revokeLease } from './etcd/lease.ts';
import { listPrefix } from './etcd/list.ts';
import type { EtcdSession } from './etcd/session.ts';
import { empty, remove, removeAll, unchanged } from './etcd/txn.ts';
import type { Joined } from './join.ts';
import { encodeKey, prefixOf } from './keys.ts';
import { readRecords } from './records.ts';

/** The keys of host, names and subnet are attached to the leases and are deleted with them. */
export async function releaseMembership(
  session: EtcdSession,
  cluster: string,
  leases: Joined['leases'],
): Promise<void> {
  if (leases) {
    await revokeLease(session, leases.host);
    await revokeLease(session, leases.subnet);
  }
  await deletePoolIfUnused(session, cluster);
}

/**
 * The last host to leave deletes the pool and the networks, so that the next cluster of this name can have another pool, and
 * does not begin with networks of this one.
 */
async function deletePoolIfUnused(session: EtcdSession, cluster: string): Promise<void> {
  await session.kv.txn({
    compare: ['subnets/', 'hosts/'].map((folder) => empty(`${prefixOf(cluster)}${folder}`)),
    success: [
      remove(encodeKey(cluster, { kind: 'config' })),
      ...['networks/', 'parts/'].map((folder) => removeAll(`${prefixOf(cluster)}${folder}`)),
    ],
  });
}

/**
 * Releases the subnets reserved for a host that is gone, and returns them. Throws `conflict` when the host is a member,
 * `not-found` when nothing is reserved for it.
 */
export async function releaseSubnets(session: EtcdSession, cluster: string, host: string): Promise<string[]> {
  const { entries } = await listPrefix(session, prefixOf(cluster));
  const records = readRecords(cluster, entries);
  const living = records.hosts.get(host);
  if (living)
    throw new NetyardError('conflict', `host ${host} is a member, at ${living.address}`, {
      hint: `run \`netyard cluster leave\` on ${host}`,
    });
  const held = [...records.subnets].filter(([, holder]) => holder.host === host);
  if (held.length === 0) throw new NetyardError('not-found', `no subnet is reserved for host ${host}`);
  const hostKey = encodeKey(cluster, { kind: 'host', name: host });
  const answer = await session.kv.txn({
    compare: [unchanged(hostKey, 0n), ...held.map(([, { entry }]) => unchanged(entry.key, entry.modRevision))],
    success: held.map(([, { entry }]) => remove(entry.key)),
  });
  if (!answer.succeeded) throw new NetyardError('conflict', `host ${host} has just rejoined`);
  for (const [, { entry }] of held) if (entry.lease !== 0n) await revokeLease(session, entry.lease);
  return held.map(([subnet]) => subnet);
}
