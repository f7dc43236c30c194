/**
 * Simulates many hosts of a cluster: writes and deletes their keys in etcd in the same format as real hosts. Only for
 * script/bench.
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
  /** Uses as few transactions as possible, concurrently. Resolves when etcd has committed them. */
  join(hosts: readonly SimulatedHost[]): Promise<void>;
  leave(hosts: readonly SimulatedHost[]): Promise<void>;
  /** Milliseconds from writing an unrelated key until a watch reports it: the latency of etcd alone. */
  echo(): Promise<number>;
  close(): void;
}

/** Longer than any measurement. */
const LEASE_SECONDS = 3600;
/** Hosts in one transaction: two keys each, and etcd allows 128 operations (--max-txn-ops). */
const BATCH = 60;
const TIMEOUT_MS = 60_000;

/** @param url as in the daemon's `--cluster`; its first endpoint is used */
export async function openSimulatedMembers(url: string): Promise<SimulatedMembers> {
  const { endpoints, name: cluster } = parseClusterUrl(url);
  const [endpoint] = endpoints;
  if (!endpoint) throw new Error(`${url} contains no endpoint`);
  const session = await openSession(endpoint, {}, TIMEOUT_MS);
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

async function openEchoes(session: Session, cluster: string): Promise<SimulatedMembers['echo']> {
  const key = `${prefixOf(cluster)}echo`;
  const answer = await session.kv.txn({ success: [remove(key)] });
  const watch = await openWatch(session, prefixOf(cluster), answer.header?.revision ?? 0n, session.ended);
  const batches = watch.batches[Symbol.asyncIterator]();
  return async () => {
    const late = new AbortController();
    const began = performance.now();
    const reported = batches.next().then(() => performance.now() - began);
    const timeout = sleep(TIMEOUT_MS, undefined, { signal: late.signal }).then(() => {
      throw new Error(`etcd reported no change of ${key}`);
    });
    timeout.catch(() => undefined);
    try {
      const [took] = await Promise.all([
        Promise.race([reported, timeout]),
        session.kv.txn({ success: [put(key, String(began), 0n)] }),
      ]);
      return took;
    } finally {
      late.abort();
    }
  };
}
