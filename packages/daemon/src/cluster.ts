/**
 * Connects the cluster package to the others: its subnet becomes the default bridge's, its hosts become peers, its networks
 * networks of this host, its changes events and log lines, its names the directory of the network package.
 */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { type Cluster, type ClusterChange, firstAddressOf, openCluster } from '@netyard/cluster';
import { type Logger, NetyardError, reasonOf, systemClock } from '@netyard/core';
import type { Engine } from '@netyard/engine';
import type { Kernel } from '@netyard/kernel';
import type { Networks, RemoteDirectory } from '@netyard/sandbox';
import { checkIpv4 } from './bridge-config.ts';
import { unannounced } from './cluster-apis.ts';
import { settingsOf } from './cluster-config.ts';
import type { ClusterSync } from './cluster-networks.ts';
import type { DaemonConfig } from './config.ts';

/** Joins, unless no cluster is configured. Rejects before anything else is started. */
export async function joinCluster(config: DaemonConfig, logger: Logger): Promise<Cluster | undefined> {
  if (!config.cluster) return undefined;
  const { url, pool } = config.cluster;
  if (/\/\/[^/]*@/.test(url) && Object.values(config.cluster.files).every((path) => path === ''))
    logger.warn('the password for etcd is sent without TLS: use --cluster-ca');
  const settings = settingsOf(config.cluster, hostname(), readPem);
  const cluster = await openCluster({ settings, folder: join(config.dataRoot, 'cluster'), logger, clock: systemClock });
  const view = cluster.view();
  logger.info(`member of cluster ${view.name}`, {
    host: view.hostName,
    subnet: view.subnet,
    etcd: view.connection,
    pool,
  });
  const silent = unannounced(cluster, config.cluster);
  if (silent !== '') logger.warn(silent);
  return cluster;
}

function readPem(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new NetyardError('invalid', `cannot read ${path}: ${reasonOf(error)}`, { cause: error });
  }
}

/** The configuration with the cluster's subnet for the default bridge; an explicit `--bip` is kept. */
export function withClusterBridge(config: DaemonConfig, cluster: Cluster | undefined): DaemonConfig {
  if (!cluster || config.cluster?.requiredSubnet !== undefined) return config;
  const bip = firstAddressOf(cluster.view().subnet);
  return Object.freeze({ ...config, ...checkIpv4({ ...config, bip }) });
}

export function remoteDirectory(cluster: Cluster): RemoteDirectory {
  return {
    hostName: cluster.view().hostName,
    hosts: () => cluster.hosts().map(({ name }) => name),
    names: () => cluster.names(),
    publish: (names) => cluster.publish(names),
    endpoints: () => cluster.endpoints(),
    publishEndpoints: (endpoints) => cluster.publishEndpoints(endpoints),
    changes: (listener) =>
      cluster.changes(({ type }) => {
        if (type === 'host' || type === 'name' || type === 'endpoint') listener();
      }),
  };
}

/** Follows the cluster with peers and networks, now and whenever it changes. Resolves when the present state is applied. */
export async function followCluster(
  cluster: Cluster,
  sync: ClusterSync,
  networks: Networks,
  events: Engine['events'],
  logger: Logger,
): Promise<() => Promise<void>> {
  sync.follow(networks, ({ id, name, problem: detail }) =>
    events.publish({ type: 'network', action: 'refuse', actorId: id, attributes: { name, type: 'overlay', detail } }),
  );
  const off = cluster.changes((change) => {
    report(change, cluster, events, logger);
    if (change.type === 'host' || change.type === 'network' || change.type === 'connection') void sync.sync();
  });
  const offNetworks = networks.events((event) => sync.networkEvent(event));
  await sync.sync();
  return async () => {
    off();
    offNetworks();
    await sync.close();
  };
}

/** Emits the events of Docker's swarm nodes, with Netyard's own actions for the connection. */
function report(change: ClusterChange, cluster: Cluster, events: Engine['events'], logger: Logger): void {
  const { name, hostName } = cluster.view();
  if (change.type === 'host') {
    const { host } = change;
    if (host.refusedApi !== undefined)
      logger.warn('a host announces an invalid API address', { host: host.name, api: host.refusedApi });
    const action = { join: 'create', update: 'update', leave: 'remove' }[change.action];
    const place = { address: host.address, subnet: host.subnets.join(',') };
    const attributes = {
      name: host.name,
      ...place,
      ...(host.api === undefined ? {} : { api: host.api }),
      cluster: name,
    };
    events.publish({ type: 'node', action, actorId: host.name, attributes });
    logger.info(`host ${host.name}: ${change.action}`, { address: host.address, subnets: host.subnets.join(',') });
  } else if (change.type === 'connection') {
    const reason = change.reason ?? '';
    const attributes = { name: hostName, cluster: name, ...(reason === '' ? {} : { reason }) };
    const action = { connected: 'connect', unreachable: 'disconnect', left: 'leave' }[change.state];
    events.publish({ type: 'node', action, actorId: hostName, attributes });
    if (change.state === 'unreachable') logger.warn('etcd is unreachable; the known state is kept', { reason });
    else logger.info(change.state === 'left' ? 'this host has left the cluster' : 'etcd is reachable');
  } else if (change.type === 'membership') {
    const detail = change.problem === '' ? 'still a member' : change.problem;
    events.publish({
      type: 'node',
      action: 'update',
      actorId: hostName,
      attributes: { name: hostName, cluster: name, detail },
    });
    logger[change.problem === '' ? 'info' : 'error'](detail);
  } else if (change.type === 'problem' && change.problem !== '') {
    events.publish({
      type: 'node',
      action: 'skip',
      actorId: change.key,
      attributes: { name: change.key, cluster: name, detail: change.problem },
    });
    logger.warn('a key of the cluster is skipped', { key: change.key, problem: change.problem });
  }
}

/** Reports changed links and addresses to the cluster: a connection from a deleted address gets no error by itself. */
export async function watchAddresses(cluster: Cluster, kernel: Kernel, signal: AbortSignal): Promise<void> {
  for await (const { type } of kernel.watch(signal))
    if (type === 'address' || type === 'link' || type === 'resync') cluster.networkChanged();
}
