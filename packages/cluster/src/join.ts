/**
 * Joins a host to the cluster, or rejoins it after an absence: one etcd transaction that takes the subnet, writes the
 * host's key and, for the first host, the pool, each only if no other host has written it. etcd decides every race; the
 * loser retries.
 */
import { type Ip, NetyardError, type Prefix, parseIp } from '@netyard/core';
import { grantLease, type HeldLease, renewLease, revokeLease } from './etcd/lease.ts';
import { type Entry, listPrefix, type Snapshot } from './etcd/list.ts';
import type { EtcdSession } from './etcd/session.ts';
import { put, remove, type Transaction, unchanged } from './etcd/txn.ts';
import { duplicateIdentity, fullPool, hostNameTaken, poolDiffers, subnetTaken } from './join-errors.ts';
import { encodeKey, prefixOf } from './keys.ts';
import { chooseSubnet, defaultPool, isOfPool } from './pool.ts';
import { type Records, readRecords } from './records.ts';
import { encodeHost, encodePool, encodeSubnet, type Pool } from './values.ts';

export interface JoinRequest {
  cluster: string;
  id: string;
  hostName: string;
  /** Address under which other hosts reach this host. */
  address: string;
  /** URL of the API at this address. */
  api?: string;
  /** The requested pool; omitted fields are taken from the cluster. */
  pool: Partial<Pool>;
  /** A required subnet (`--bip`): join with this one or fail. */
  requiredSubnet?: string;
  /** The subnet of the last membership. */
  lastSubnet?: string;
  /** Whether the last subnet is in use, so that another one cannot be taken. */
  bound: boolean;
  leaseSeconds: number;
  reservationSeconds: number;
  /** Nanoseconds since the Unix epoch. */
  now: bigint;
  /** Networks that this host is attached to. */
  avoid: readonly Prefix[];
}

export interface Joined {
  pool: Pool;
  subnet: string;
  /**
   * Set when the subnet that the host is bound to belongs to another host: it then has no lease and announces nothing.
   */
  lostTo?: { host: string; address: string };
  leases?: { host: bigint; subnet: bigint };
  /** Start of the uninterrupted membership, in nanoseconds since the Unix epoch. */
  since: bigint;
  /** The cluster had no pool, so that this host is its first one, or etcd has lost its data. */
  isFirst: boolean;
  /** The cluster's keys before this host's own writes. */
  snapshot: Snapshot;
}

type Leases = NonNullable<Joined['leases']>;

/** Both are renewed several times before they expire. */
export function renewalsOf(
  leases: Leases,
  { leaseSeconds, reservationSeconds }: Pick<JoinRequest, 'leaseSeconds' | 'reservationSeconds'>,
): HeldLease[] {
  return [
    { id: leases.host, everyMs: (leaseSeconds * 1000) / 3 },
    { id: leases.subnet, everyMs: (reservationSeconds * 1000) / 20 },
  ];
}

/** Each attempt fails only when another host has changed the keys that were read. */
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
      return { pool, subnet, since: request.now, isFirst: false, lostTo, snapshot };
    }
    const leases = await holdLeases(session, records, request, subnet, granted);
    const writing = planWrites(records, request, pool, subnet, leases, old);
    if (writing.success.length === 0 || (await session.kv.txn(writing)).succeeded) {
      const before = holder?.entry.lease ?? 0n;
      if (before !== 0n && before !== leases.subnet) await revokeLease(session, before);
      const since = records.hosts.get(request.hostName)?.since ?? request.now;
      return { pool, subnet, since, isFirst: records.pool === undefined, leases, snapshot };
    }
  }
  throw new NetyardError(
    'unavailable',
    `cannot join cluster ${request.cluster}: ${ATTEMPTS} attempts conflicted with other hosts`,
  );
}

/** The cluster's pool; the first host sets it to its requested or the default one. */
function agreePool(records: Records, { pool, cluster }: JoinRequest): Pool {
  const given = records.pool;
  if (!given) return { ...defaultPool, ...pool };
  const differs =
    (pool.subnet !== undefined && pool.subnet !== given.value.subnet) ||
    (pool.subnetSize !== undefined && pool.subnetSize !== given.value.subnetSize);
  if (differs) throw poolDiffers(cluster, given.value, pool);
  return given.value;
}

/** Rejects duplicate names and identities; returns the keys of the same host under an earlier name. */
function rejectDuplicates(records: Records, { id, hostName, address, cluster }: JoinRequest): Entry[] {
  const same = records.hosts.get(hostName);
  if (same && same.id !== id) throw hostNameTaken(cluster, hostName, same.address);
  const others = [...records.hosts].filter(([name, host]) => name !== hostName && host.id === id);
  const living = others.find(([, host]) => host.address !== address);
  if (living) throw duplicateIdentity(living[0], living[1].address);
  return others.map(([, host]) => host.entry);
}

function pickSubnet(records: Records, pool: Pool, request: JoinRequest): string {
  const { id, requiredSubnet, lastSubnet, bound } = request;
  const isFree = (subnet: string): boolean => (records.subnets.get(subnet)?.id ?? id) === id;
  if (requiredSubnet !== undefined && !bound) {
    if (!isOfPool(pool, requiredSubnet)) throw poolDiffers(request.cluster, pool, { subnet: requiredSubnet });
    const holder = records.subnets.get(requiredSubnet);
    if (holder && holder.id !== id) throw subnetTaken(requiredSubnet, holder.host, holder.address);
    return requiredSubnet;
  }
  if (lastSubnet !== undefined && (bound || (isOfPool(pool, lastSubnet) && isFree(lastSubnet)))) return lastSubnet;
  for (const [subnet, holder] of records.subnets) if (holder.id === id) return subnet;
  const hosts = [...records.hosts.values()].map(({ address }): Prefix => hostPrefix(parseIp(address)));
  const avoid = [...request.avoid, ...hosts];
  const chosen = chooseSubnet(pool, id, new Set(records.subnets.keys()), avoid);
  if (chosen === undefined) throw fullPool(pool, records);
  return chosen;
}

const hostPrefix = (ip: Ip): Prefix => ({ ...ip, length: ip.family === 4 ? 32 : 128 });

/** Reuses the leases of an earlier run, so that its names and its subnet stay valid. */
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
  const desired = [
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
  const puts = desired.filter(({ before, value, lease }) => before?.value !== value || before.lease !== lease);
  const deletes = [...surplus, ...stale];
  if (puts.length === 0 && deletes.length === 0) return { compare: [], success: [] };
  return {
    compare: [
      ...desired.map(({ key, before }) => unchanged(key, before?.modRevision ?? 0n)),
      ...deletes.map((entry) => unchanged(entry.key, entry.modRevision)),
    ],
    success: [...puts.map(({ key, value, lease }) => put(key, value, lease)), ...deletes.map(({ key }) => remove(key))],
  };
}

/** A host whose subnet belongs to another host announces nothing. */
async function withdraw(session: EtcdSession, records: Records, { hostName, id }: JoinRequest): Promise<void> {
  const own = records.hosts.get(hostName);
  if (own?.id === id && own.entry.lease !== 0n) await revokeLease(session, own.entry.lease);
}
