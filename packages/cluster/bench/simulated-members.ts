/**
 * Plays many hosts of one cluster to an etcd: writes their keys as hosts do, in the same words, and takes them away. For
 * script/bench; nothing of it runs in a daemon.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { grantLease } from '../src/etcd/lease.ts';
import { openSession } from '../src/etcd/session.ts';
import { put, remove } from '../src/etcd/txn.ts';
import { parseClusterUrl } from '../src/etcd/url.ts';
import { openWatch } from '../src/etcd/watch.ts';
import { encodeKey, prefixOf } from '../src/keys.ts';
import { encodeHost, encodeSubnet } from '../src/values.ts';

export interface SimulatedHost {
  name: string;
  address: string;
  subnet: string;
}

export interface SimulatedMembers {
  /** In as few transactions as etcd takes, all of them under way at once. Resolves when etcd has them. */
  join(hosts: readonly SimulatedHost[]): Promise<void>;
  leave(hosts: readonly SimulatedHost[]): Promise<void>;
  /** Milliseconds from writing a key that is nobody's until a watch of it has heard: etcd alone. */
  echo(): Promise<number>;
  close(): void;
}

/** Longer than any measuring takes. */
const LEASE_SECONDS = 3600;
/** Hosts in one transaction: two keys each, and etcd takes 128 operations (--max-txn-ops). */
const BATCH = 60;
const PATIENCE_MS = 60_000;

/** `url` as the daemon's `--cluster`; its first endpoint is taken. */
export async function openSimulatedMembers(url: string): Promise<SimulatedMembers> {
  const { endpoints, name: cluster } = parseClusterUrl(url);
  const [endpoint] = endpoints;
  if (!endpoint) throw new Error(`${url} names no etcd`);
  const session = await openSession(endpoint, {}, PATIENCE_MS);
  const lease = await grantLease(session, LEASE_SECONDS);
  const echoes = await openEchoes(session, `${cluster}.echo`);
  const keys = ({ name, subnet }: SimulatedHost) => ({
    subnet: encodeKey(cluster, { kind: 'subnet', subnet }),
    host: encodeKey(cluster, { kind: 'host', name }),
  });
  const since = BigInt(Date.now()) * 1_000_000n;
  const writes = (host: SimulatedHost) => {
    const { name: id, address, subnet } = host;
    return [
      put(keys(host).subnet, encodeSubnet({ id, host: host.name, address }), lease),
      put(keys(host).host, encodeHost({ id, address, subnets: [subnet], since }), lease),
    ];
  };
  const write = async (hosts: readonly SimulatedHost[], operations: typeof writes): Promise<void> => {
    const parts = Array.from({ length: Math.ceil(hosts.length / BATCH) }, (_, index) =>
      hosts.slice(index * BATCH, (index + 1) * BATCH),
    );
    await Promise.all(parts.map((part) => session.kv.txn({ success: part.flatMap(operations) })));
  };
  return {
    join: (hosts) => write(hosts, writes),
    leave: (hosts) => write(hosts, (host) => [remove(keys(host).subnet), remove(keys(host).host)]),
    echo: echoes,
    close: () => session.close(),
  };
}

type Session = Awaited<ReturnType<typeof openSession>>;

async function openEchoes(session: Session, apart: string): Promise<SimulatedMembers['echo']> {
  const key = `${prefixOf(apart)}echo`;
  const answer = await session.kv.txn({ success: [remove(key)] });
  const watch = await openWatch(session, prefixOf(apart), answer.header?.revision ?? 0n, session.ended);
  const batches = watch.batches[Symbol.asyncIterator]();
  return async () => {
    const late = new AbortController();
    const began = performance.now();
    const heard = batches.next().then(() => performance.now() - began);
    const tooLong = sleep(PATIENCE_MS, undefined, { signal: late.signal }).then(() => {
      throw new Error('etcd did not tell of a key');
    });
    tooLong.catch(() => undefined);
    try {
      const [took] = await Promise.all([
        Promise.race([heard, tooLong]),
        session.kv.txn({ success: [put(key, String(began), 0n)] }),
      ]);
      return took;
    } finally {
      late.abort();
    }
  };
}
