/**
 * How a host becomes a member, and one again after it was away: one transaction in etcd that takes the subnet, writes
 * the host's key and, for the first host, the cluster's pool, each only if nobody else has. Etcd decides every race; a
 * loser looks again.
 */
import { NetyardError, type Prefix, parseIp } from '@netyard/core';
import { grantLease, renewLease, revokeLease } from './etcd/lease.ts';
import { type Entry, listPrefix, type Snapshot } from './etcd/list.ts';
import type { EtcdSession } from './etcd/session.ts';
import { put, remove, type Transaction, unchanged } from './etcd/txn.ts';
import { fullPool, namesake, poolDiffers, subnetTaken, twins } from './join-errors.ts';
import { encodeKey, prefixOf } from './keys.ts';
import { chooseSubnet, defaultPool, isOfPool } from './pool.ts';
import { type Records, readRecords } from './records.ts';
import { encodeHost, encodePool, encodeSubnet, type Pool } from './values.ts';

export interface JoinRequest {
  cluster: string;
  id: string;
  hostName: string;
  /** Where others reach this host. */
  address: string;
  /** The API there. */
  api?: string;
  /** As asked for; what is not there is the cluster's. */
  pool: Partial<Pool>;
  /** A subnet that was asked for (`--bip`): this one or none. */
  wanted?: string;
  /** The last one. */
  kept?: string;
  /** Whether the host runs with the kept one already, and cannot take another. */
  bound: boolean;
  leaseSeconds: number;
  reservationSeconds: number;
  /** Nanoseconds since 1970. */
  now: bigint;
  /** Networks that this host stands in. */
  avoid: readonly Prefix[];
}

export interface Joined {
  pool: Pool;
  subnet: string;
  /** Set when the subnet that the host is bound to is another's: then it has no lease and announces nothing. */
  lostTo?: { host: string; address: string };
  leases?: { host: bigint; subnet: bigint };
  /** Nanoseconds since 1970: since when it is a member without interruption. */
  since: bigint;
  /** As of before the host's own writing. */
  snapshot: Snapshot;
}

type Leases = NonNullable<Joined['leases']>;

/** Each time somebody else has got what was looked at, so that it went to them. */
const ATTEMPTS = 100;

/** Throws `conflict` (see join-errors), and what a call throws. */
export async function joinCluster(session: EtcdSession, request: JoinRequest): Promise<Joined> {
  const granted: Partial<Leases> = {};
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const snapshot = await listPrefix(session, prefixOf(request.cluster));
    const records = readRecords(request.cluster, snapshot.entries);
    const pool = agreePool(records, request);
    const old = rejectDuplicates(records, request);
    const subnet = pickSubnet(records, pool, request);
    const holder = records.subnets.get(subnet);
    if (holder && holder.id !== request.id) {
      await withdraw(session, records, request);
      const lostTo = { host: holder.host, address: holder.address };
      return { pool, subnet, since: request.now, lostTo, snapshot };
    }
    const leases = await holdLeases(session, records, request, subnet, granted);
    const writing = planWrites(records, request, pool, subnet, leases, old);
    if (writing.success.length === 0 || (await session.kv.txn(writing)).succeeded) {
      const before = holder?.entry.lease ?? 0n;
      if (before !== 0n && before !== leases.subnet) await revokeLease(session, before);
      const since = records.hosts.get(request.hostName)?.since ?? request.now;
      return { pool, subnet, since, leases, snapshot };
    }
  }
  throw new NetyardError('unavailable', `others were quicker ${ATTEMPTS} times in joining cluster ${request.cluster}`);
}

/** The cluster's pool; the first host's is what it asks for, or the default one. */
function agreePool(records: Records, { pool, cluster }: JoinRequest): Pool {
  const given = records.pool;
  if (!given) return { ...defaultPool, ...pool };
  const differs =
    (pool.subnet !== undefined && pool.subnet !== given.value.subnet) ||
    (pool.subnetSize !== undefined && pool.subnetSize !== given.value.subnetSize);
  if (differs) throw poolDiffers(cluster, given.value, pool);
  return given.value;
}

/** Returns the keys of the same host under an earlier name. */
function rejectDuplicates(records: Records, { id, hostName, address, cluster }: JoinRequest): Entry[] {
  const same = records.hosts.get(hostName);
  if (same && same.id !== id) throw namesake(cluster, hostName, same.address);
  const others = [...records.hosts].filter(([name, host]) => name !== hostName && host.id === id);
  const living = others.find(([, host]) => host.address !== address);
  if (living) throw twins(living[0], living[1].address);
  return others.map(([, host]) => host.entry);
}

function pickSubnet(records: Records, pool: Pool, request: JoinRequest): string {
  const { id, wanted, kept, bound } = request;
  const isFree = (subnet: string): boolean => (records.subnets.get(subnet)?.id ?? id) === id;
  if (wanted !== undefined && !bound) {
    if (!isOfPool(pool, wanted)) throw poolDiffers(request.cluster, pool, { subnet: wanted });
    const holder = records.subnets.get(wanted);
    if (holder && holder.id !== id) throw subnetTaken(wanted, holder.host, holder.address);
    return wanted;
  }
  if (kept !== undefined && (bound || (isOfPool(pool, kept) && isFree(kept)))) return kept;
  for (const [subnet, holder] of records.subnets) if (holder.id === id) return subnet;
  const hosts = [...records.hosts.values()].map(({ address }): Prefix => ({ ...parseIp(address), length: 32 }));
  const avoid = [...request.avoid, ...hosts];
  const chosen = chooseSubnet(pool, id, new Set(records.subnets.keys()), avoid);
  if (chosen === undefined) throw fullPool(pool, records);
  return chosen;
}

/** Those of an earlier run are taken over, so that its names and its subnet live on. */
async function holdLeases(
  session: EtcdSession,
  records: Records,
  request: JoinRequest,
  subnet: string,
  granted: Partial<Leases>,
): Promise<Leases> {
  const own = records.hosts.get(request.hostName)?.entry.lease;
  const reserved = records.subnets.get(subnet)?.entry.lease;
  granted.host ??= await holdLease(session, own, request.leaseSeconds);
  granted.subnet ??= await holdLease(session, reserved, request.reservationSeconds);
  return { host: granted.host, subnet: granted.subnet };
}

async function holdLease(session: EtcdSession, earlier: bigint | undefined, seconds: number): Promise<bigint> {
  if (earlier !== undefined && earlier !== 0n && (await renewLease(session, earlier)) === seconds) return earlier;
  return await grantLease(session, seconds);
}

function planWrites(
  records: Records,
  request: JoinRequest,
  pool: Pool,
  subnet: string,
  leases: Leases,
  stale: readonly Entry[],
): Transaction {
  const { cluster, id, hostName, address, api, now } = request;
  const own = records.hosts.get(hostName);
  const announced = { id, address, subnets: [subnet], since: own?.since ?? now };
  const host = encodeHost(api === undefined ? announced : { ...announced, api });
  const wanted = [
    {
      key: encodeKey(cluster, { kind: 'config' }),
      value: records.pool?.entry.value ?? encodePool(pool),
      lease: 0n,
    },
    {
      key: encodeKey(cluster, { kind: 'subnet', subnet }),
      value: encodeSubnet({ id, host: hostName, address }),
      lease: leases.subnet,
    },
    { key: encodeKey(cluster, { kind: 'host', name: hostName }), value: host, lease: leases.host },
  ].map((write) => ({ ...write, before: records.entries.get(write.key) }));
  const surplus = [...records.subnets].flatMap(([text, held]) =>
    held.id === id && text !== subnet ? [held.entry] : [],
  );
  const puts = wanted.filter(({ before, value, lease }) => before?.value !== value || before.lease !== lease);
  const deletes = [...surplus, ...stale];
  if (puts.length === 0 && deletes.length === 0) return { compare: [], success: [] };
  return {
    compare: [
      ...wanted.map(({ key, before }) => unchanged(key, before?.modRevision ?? 0n)),
      ...deletes.map((entry) => unchanged(entry.key, entry.modRevision)),
    ],
    success: [...puts.map(({ key, value, lease }) => put(key, value, lease)), ...deletes.map(({ key }) => remove(key))],
  };
}

/** A host whose subnet is another's announces nothing. */
async function withdraw(session: EtcdSession, records: Records, { hostName, id }: JoinRequest): Promise<void> {
  const own = records.hosts.get(hostName);
  if (own?.id === id && own.entry.lease !== 0n) await revokeLease(session, own.entry.lease);
}
