/** Composes the peers package: loads peers and binds the operations to the `Peers` interface. */
import { type Clock, KeyedQueue, type Logger } from '@netyard/core';
import type { Kernel } from '@netyard/kernel';
import type { OwnHost, PeerRequest, PeerStore, Peers } from './contract.ts';
import { dryRun } from './dry-run.ts';
import { changesHost, scopeOf } from './events.ts';
import type { HostView } from './host-view.ts';
import { setClusterPeers } from './operations/cluster.ts';
import { explainPeer } from './operations/explain.ts';
import { findPeerObjects, findTunnelTables, planPeers } from './operations/objects.ts';
import { reconcilePeers } from './operations/reconcile.ts';
import { addPeer, type PeersDependencies, peerOf, removePeer } from './operations/requests.ts';
import { listPeers, stateOf } from './operations/states.ts';
import { type Traffic, TrafficWatch } from './operations/traffic.ts';
import { adoptTunnel, planTunnelsOf } from './operations/tunnel.ts';
import { checkPeerRequest } from './parse.ts';
import { type Peer, PeerTable } from './table.ts';

export interface OpenPeersOptions {
  kernel: Kernel;
  store: PeerStore;
  host: OwnHost;
  /** Peers of origin `config`; they take precedence over a stored peer of the same name. */
  configured: readonly PeerRequest[];
  /** More peers will follow by `setClusterPeers`: until its first call, kernel objects of unknown peers are kept. */
  awaitsCluster: boolean;
  logger: Logger;
  clock: Clock;
}

/** Accesses only the store. Throws `invalid` and `conflict` when the configuration is wrong or contradicts itself. */
export function openPeers(options: OpenPeersOptions): Peers {
  const { kernel, store, host, logger, clock } = options;
  const peers = loadPeers(options);
  const context: PeersDependencies = {
    ...{ kernel, store, host, logger, clock, peers },
    hostView: undefined as HostView | undefined,
    traffic: new Map<string, Traffic>(),
    ...{ tunnels: {}, tunnelIndexes: [], bypass: [], mtuLimit: undefined },
    queue: new KeyedQueue(),
  };
  const traffic = new TrafficWatch(context);
  return {
    get: (name) => peers.get(name),
    values: () => peers.values(),
    findBySubnet: (address) => peers.findBySubnet(address),
    findOverlap: (prefix) => peers.findOverlap(prefix),
    refusalOf: (name) => peers.refusalOf(name),
    add: (request) => addPeer(context, request),
    remove: (name) => removePeer(context, name),
    planAdd: (request) => dryRun(context, (copy) => addPeer(copy, request)),
    planRemove: (name) => dryRun(context, (copy) => removePeer(copy, name)),
    setClusterPeers: (requests) => setClusterPeers(context, requests),
    states: () => listPeers(context),
    state: async (name) => stateOf(context, peerOf(context, name)),
    plan: () => [...planTunnelsOf(context), ...context.bypass, ...planPeers(context)],
    explain: (name) => explainPeer(context, peerOf(context, name)),
    findObjects: async () => [...(await findTunnelTables(context)), ...(await findPeerObjects(context))],
    get awaitsCluster() {
      return peers.awaitsCluster;
    },
    get mtuLimit() {
      return context.mtuLimit;
    },
    adopt: () => adoptTunnel(context),
    reconcile: (scope) => reconcilePeers(context, scope),
    affectedBy(event) {
      if (changesHost(event)) context.hostView = undefined;
      return scopeOf(peers, event, context.tunnelIndexes);
    },
    startSampling: () => traffic.start(),
    close: () => traffic.close(),
  };
}

/** Peers from the configuration and the store. Throws `conflict` when the configuration contradicts itself. */
function loadPeers({ configured, store, clock, awaitsCluster }: OpenPeersOptions): PeerTable {
  const ofConfig = configured
    .map(checkPeerRequest)
    .map((peer): Peer => ({ record: { ...peer, created: clock.now() }, origin: 'config' }));
  const checked = new PeerTable([], { awaitsCluster });
  for (const peer of ofConfig) checked.add(peer);
  const names = new Set(ofConfig.map(({ record }) => record.name));
  const stored = store.peers().map((record): Peer => ({ record, origin: 'request' }));
  return new PeerTable([...ofConfig, ...stored.filter(({ record }) => !names.has(record.name))], { awaitsCluster });
}
