/** Simulated hosts of a cluster: each with its own folder and address, all in one process. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type LogFields, type Logger, systemClock } from '@netyard/core';
import { type Cluster, type ClusterChange, type ClusterSettings, openCluster } from '../src/index.ts';
import type { PrivateEtcd } from './private-etcd.ts';

export interface TestHost extends AsyncDisposable {
  cluster: Cluster;
  /** All reported changes since it was opened. */
  reported: ClusterChange[];
  log: { level: string; message: string; fields: LogFields | undefined }[];
}

export type HostOverrides = Partial<ClusterSettings> & { folder?: string; random?: () => number };

/**
 * `server1` has 172.16.2.1, `server12` 172.16.2.12. Its files remain for a later host of the same name.
 *
 * Its lease is longer than any test: one that a busy machine renews too late would be lost. `expireLease` ends it.
 */
export async function openHost(etcd: PrivateEtcd, name: string, overrides: HostOverrides = {}): Promise<TestHost> {
  const { folder = join(etcd.folder, `host-${name}`), random, ...settings } = overrides;
  mkdirSync(folder, { recursive: true });
  const log: TestHost['log'] = [];
  const cluster = await openCluster({
    settings: {
      ...{ url: etcd.url, hostName: name, pool: {}, leaseSeconds: 600, reservationSeconds: 3600 },
      ...settings,
    },
    ...{ folder, clock: systemClock, logger: collect(log), ...(random ? { random } : {}) },
    addresses: { uplink: async () => `172.16.2.${Number(/\d+/.exec(name)?.[0] ?? 0)}`, prefixes: () => [] },
  });
  const reported: ClusterChange[] = [];
  cluster.changes((change) => reported.push(change));
  return { cluster, reported, log, [Symbol.asyncDispose]: () => cluster.close() };
}

/**
 * Ends a host's lease as if it had not renewed it in time: etcd deletes the keys that are attached to it.
 * @param key that is attached to it, `/netyard/CLUSTER/hosts/NAME`
 */
export function expireLease(etcd: PrivateEtcd, key: string): void {
  const lease = /"lease":(\d+)/.exec(etcd.etcdctl('get', '-w', 'json', key))?.[1] ?? 0;
  etcd.etcdctl('lease', 'revoke', BigInt(lease).toString(16));
}

function collect(log: TestHost['log']): Logger {
  const at = (level: string) => (message: string, fields?: LogFields) => void log.push({ level, message, fields });
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

/** Waits for a condition; fails after a timeout and names it. */
export async function until(host: TestHost, what: string, holds: () => boolean, patienceMs = 60_000): Promise<void> {
  if (holds()) return;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(() => reject(new Error(`not within ${patienceMs} ms: ${what}`)), patienceMs);
  const off = host.cluster.changes(() => holds() && resolve());
  try {
    await promise;
  } finally {
    off();
    clearTimeout(timer);
  }
}

export const others = (host: TestHost): string[] =>
  host.cluster
    .hosts()
    .filter(({ self }) => !self)
    .map(({ name }) => name)
    .toSorted();

export const subnetOf = (host: TestHost): string => host.cluster.view().subnet;
