/**
 * Dry runs: an operation runs on a kernel that records, and on copies of the state that are discarded. What it prints is
 * what the operation does, because it is the operation.
 */
import { KeyedQueue, NetyardError, silentLogger } from '@netyard/core';
import { type KernelOperation, recordKernel } from '@netyard/kernel';
import { networkQueueKey, removeNetwork } from '@netyard/network';
import type { Context } from './context.ts';
import type { ClusterNetworks, NetworkStore, Networks } from './contract.ts';
import { LinkIndex } from './links/index.ts';
import { networkOf } from './lookup.ts';
import { connect } from './operations/connect.ts';
import { disconnect } from './operations/disconnect.ts';
import { parentOfLink, removeLink } from './operations/links.ts';
import { createNetwork } from './operations/networks.ts';
import { addPorts, removePorts } from './operations/port-changes.ts';
import { prepare } from './operations/prepare.ts';
import { release } from './operations/release.ts';

type DryRuns = Pick<
  Networks,
  | 'planCreate'
  | 'planRemove'
  | 'planConnect'
  | 'planDisconnect'
  | 'planAddPorts'
  | 'planRemovePorts'
  | 'planPrepare'
  | 'planRelease'
  | 'planRemoveLink'
>;

export function openDryRuns(context: Context): DryRuns {
  const isRunning = (id: string): boolean => context.sandboxes.get(id)?.state !== undefined;
  return {
    planCreate: (request) => dryRun(context, networkQueueKey(request.name), (copy) => createNetwork(copy, request)),
    async planRemove(ref) {
      const { name } = networkOf(context, ref);
      return dryRun(context, networkQueueKey(name), (copy) => removeNetwork(copy, ref));
    },
    planConnect: (network, id, config) => dryRun(context, id, (copy) => connect(copy, network, id, config)),
    planDisconnect: (network, id, force) => dryRun(context, id, (copy) => disconnect(copy, network, id, force)),
    planAddPorts: (id, ports) => dryRun(context, id, (copy) => addPorts(copy, id, ports)),
    planRemovePorts: (id, ports) => dryRun(context, id, (copy) => removePorts(copy, id, ports)),
    async planPrepare(id) {
      return isRunning(id) ? [] : dryRun(context, id, (copy) => prepare(copy, id));
    },
    planRelease: (id) => dryRun(context, id, (copy) => release(copy, id)),
    planRemoveLink: (name) => dryRun(context, parentOfLink(context, name), (copy) => removeLink(copy, name)),
  };
}

type Services = 'linkDeletions' | 'remoteLinks';
type DryRunContext = Omit<Context, Services> & {
  readonly linkDeletions: Pick<Context['linkDeletions'], 'expect'>;
  readonly remoteLinks: Pick<Context['remoteLinks'], 'find' | 'reconcile'>;
};

/** Runs in the queue of the container or network, so that the copies are those of no half-done operation. Throws what `run` throws. */
export async function dryRun(
  context: Context,
  queueKey: string,
  run: (copy: DryRunContext) => Promise<unknown>,
): Promise<KernelOperation[]> {
  return context.queue.run(queueKey, async () => {
    const { kernel, operations } = recordKernel(context.kernel);
    await run(copyOf({ ...context, kernel }));
    return [...operations];
  });
}

const ignore = (): void => undefined;

const notYet = async (): Promise<never> => {
  throw new NetyardError('not-implemented', 'dry runs of networks of the cluster are not implemented yet');
};

/** A dry run of `remove` is that of this host, which does not come here. */
const dryClusterNetworks: ClusterNetworks = { create: notYet, remove: notYet };

/** The same state, whose changes and announcements have no effect. */
function copyOf(context: Context): DryRunContext {
  const { namespaces, names, links, remoteLinks } = context;
  return {
    ...context,
    store: discardChanges(context.store),
    networks: context.networks.copy(),
    logger: silentLogger,
    sandboxes: new Map([...context.sandboxes].map(([id, sandbox]) => [id, { ...sandbox }])),
    links: new LinkIndex(links.all()),
    dangling: new Set(context.dangling),
    pools: new Map([...context.pools].map(([id, pools]) => [id, pools.copy()])),
    ports: context.ports.copy(),
    hostLinks: context.hostLinks.copy(),
    knownSegments: new Set(context.knownSegments),
    linkDeletions: { expect: ignore },
    namespaces: {
      start: ignore,
      close: async () => undefined,
      updateWatch: ignore,
      holdWatch: () => ignore,
      settingsOf: (id) => namespaces.settingsOf(id),
    },
    names: {
      directory: names.directory,
      start: async () => undefined,
      close: ignore,
      update: ignore,
      failures: () => [],
    },
    clusterNetworks: context.clusterNetworks && dryClusterNetworks,
    remoteLinks: { find: (host, name) => remoteLinks.find(host, name), reconcile: ignore },
    queue: new KeyedQueue(),
    emit: ignore,
    ownDeletion: ignore,
    bridgesChanged: async () => undefined,
  };
}

const discardChanges = (store: NetworkStore): NetworkStore => ({
  networks: () => store.networks(),
  sandboxes: () => store.sandboxes(),
  endpoints: () => store.endpoints(),
  links: () => store.links(),
  peers: () => store.peers(),
  leases: (networkId) => store.leases(networkId),
  cursor: (networkId, family) => store.cursor(networkId, family),
  ...{ putNetwork: ignore, deleteNetwork: ignore, putSandbox: ignore, deleteSandbox: ignore },
  ...{ putEndpoint: ignore, deleteEndpoint: ignore, putLink: ignore, deleteLink: ignore },
  ...{ putPeer: ignore, deletePeer: ignore, putLease: ignore, deleteLease: ignore, putCursor: ignore },
  transaction: (work) => work(),
});
