/** Composes the network package: loads state from the store and binds the operations to the `Networks` interface. */
import { type Clock, type Logger, messageOf } from '@netyard/core';
import { type Kernel, openListenerInNetns } from '@netyard/kernel';
import { foreignWarnings, type Host, openHost, usesOf } from '@netyard/network';
import { checkPeerApi, type PeerRequest } from '@netyard/peers';
import { capture } from './capture/open.ts';
import type { ContainerContext, Context } from './context.ts';
import type {
  ClusterNetworks,
  ContainerDirectory,
  NetworkEvent,
  NetworkSettings,
  NetworkStore,
  Networks,
  PeerApis,
  RemoteDirectory,
} from './contract.ts';
import { openDryRuns } from './dry-run.ts';
import { LinkIndex } from './links/index.ts';
import { networkOf } from './lookup.ts';
import { AddressAnnouncer } from './operations/address-announcer.ts';
import { openAttachments } from './operations/attachments.ts';
import { connect } from './operations/connect.ts';
import { disconnect } from './operations/disconnect.ts';
import { explain } from './operations/explain.ts';
import { inspect } from './operations/inspect.ts';
import { checkLinks, findLink, linkEnvironment, removeLink } from './operations/links.ts';
import { NameService } from './operations/name-service.ts';
import { NamespaceReconciler } from './operations/namespace-reconciler.ts';
import { createNetwork, removeNetwork, setClusterNetworks } from './operations/networks.ts';
import { addPorts, removePorts } from './operations/port-changes.ts';
import { prepare } from './operations/prepare.ts';
import { register, unregister } from './operations/register.ts';
import { release, releaseSandbox } from './operations/release.ts';
import { RemoteLinks } from './operations/remote-links.ts';
import { rename } from './operations/rename.ts';
import { start } from './operations/start.ts';
import { drawTopology } from './topology.ts';

export interface NetworksOptions {
  kernel: Kernel;
  store: NetworkStore;
  containers: ContainerDirectory;
  settings: NetworkSettings;
  /** Published names of other hosts; only with a cluster. */
  directory?: RemoteDirectory;
  /** Creates and removes networks of the cluster; only with a cluster. */
  clusterNetworks?: ClusterNetworks;
  /** API clients of peers, for links to their containers. */
  peerApis?: PeerApis;
  /** Opens a name server's socket inside a namespace. Default: the kernel package's. */
  openListener?: typeof openListenerInNetns;
  /** Called for each answer of a container's name server, with its response code. */
  noteDnsAnswer?: (rcode: number) => void;
  logger: Logger;
  clock: Clock;
}

/** Throws `invalid` for invalid settings (`parse bip failed: …`). Accesses only the store; `start` accesses the kernel. */
export function openNetworks(options: NetworksOptions): Networks {
  const listeners = new Set<(event: NetworkEvent) => void>();
  const self = (): Context => context;
  const { kernel, store, settings, logger, clock } = options;
  const announcer = new AddressAnnouncer(self);
  const host = openHost({
    ...{ kernel, store, settings, logger, clock },
    containers: openAttachments(self),
    emit(event) {
      const moved = event.action === 'connect' || event.action === 'disconnect';
      if (moved && event.containerId !== undefined) context.names.update(event.containerId);
      announcer.networkEvent(event);
      for (const listener of listeners) deliver(listener, { type: 'network', ...event }, logger);
    },
  });
  const context: Context = openContext(options, host, self);
  return {
    async start(running, options) {
      context.namespaces.start();
      await start(context, running, options);
      await host.watch();
      await context.names.start();
      context.remoteLinks.start();
    },
    ...networkMethods(context),
    ...containerMethods(context),
    ...linkMethods(context),
    ...peerMethods(context, options.peerApis),
    endpoints: host.endpoints,
    explain: (ref) => explain(context, ref),
    inspect: () => inspect(context, { daemonRuns: host.isWatching }),
    warnings: () => foreignWarnings(context),
    capture: (request) => capture(context, request),
    ...openDryRuns(context),
    topology: () =>
      drawTopology({
        networks: [...context.networks.values()],
        running: runningOf(context),
        peers: [...context.peers.values()].filter(({ record }) => record.network === undefined),
      }),
    events(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async close() {
      context.remoteLinks.close();
      context.names.close();
      announcer.close();
      await Promise.all([host.stopRepairs(), context.namespaces.close()]);
      await host.close();
    },
    cleanup: (options) => host.cleanup(options),
  };
}

function networkMethods(
  context: Context,
): Pick<Networks, 'list' | 'get' | 'create' | 'remove' | 'uses' | 'subnetUse' | 'setClusterNetworks'> {
  return {
    list: () => [...context.networks.values()],
    get: (ref) => networkOf(context, ref),
    create: (request) => createNetwork(context, request),
    remove: (ref) => removeNetwork(context, ref),
    uses: (networkId) => usesOf(context, networkId),
    subnetUse: (networkId) => context.pools.get(networkId)?.use ?? [],
    setClusterNetworks: (networks) => setClusterNetworks(context, networks),
  };
}

function containerMethods(
  context: Context,
): Pick<
  Networks,
  | 'register'
  | 'prepare'
  | 'release'
  | 'unregister'
  | 'rename'
  | 'holdWatch'
  | 'state'
  | 'config'
  | 'connect'
  | 'disconnect'
  | 'addPorts'
  | 'removePorts'
> {
  return {
    register: (config) => register(context, config),
    prepare: (containerId) => prepare(context, containerId),
    release: (containerId) => release(context, containerId),
    async unregister(containerId) {
      await context.queue.run(containerId, async () => {
        const sandbox = context.sandboxes.get(containerId);
        if (!sandbox) return;
        await releaseSandbox(context, sandbox);
        unregister(context, containerId);
      });
    },
    rename: (containerId, name) => rename(context, containerId, name),
    holdWatch: (containerId) => context.namespaces.holdWatch(containerId),
    state: (containerId) => context.sandboxes.get(containerId)?.state,
    config: (containerId) => context.sandboxes.get(containerId)?.config,
    connect: (networkRef, containerId, endpoint) => connect(context, networkRef, containerId, endpoint),
    disconnect: (networkRef, containerId, force) => disconnect(context, networkRef, containerId, force),
    addPorts: (containerId, ports) => addPorts(context, containerId, ports),
    removePorts: (containerId, ports) => removePorts(context, containerId, ports),
  };
}

function linkMethods(
  context: Context,
): Pick<Networks, 'links' | 'linksTo' | 'findLink' | 'removeLink' | 'checkLinks' | 'linkEnvironment'> {
  return {
    links: (parentId) => context.links.ofParent(parentId),
    linksTo: (childId) => context.links.ofChild(childId),
    findLink: (name) => findLink(context, name),
    removeLink: (name) => removeLink(context, name),
    checkLinks: (containerId) => checkLinks(context, containerId),
    linkEnvironment: (containerId) => linkEnvironment(context, containerId),
  };
}

function peerMethods(
  context: Context,
  apis: PeerApis | undefined,
): Pick<Networks, 'addPeer' | 'planAddPeer' | 'planRemovePeer' | 'removePeer' | 'setClusterPeers' | 'peers' | 'peer'> {
  return {
    async addPeer(request) {
      checkApi(request, apis);
      const state = await context.peers.add(request);
      context.remoteLinks.reconcile();
      return state;
    },
    async planAddPeer(request) {
      checkApi(request, apis);
      return context.peers.planAdd(request);
    },
    planRemovePeer: (name) => context.peers.planRemove(name),
    async removePeer(name) {
      await context.peers.remove(name);
      context.remoteLinks.reconcile();
    },
    async setClusterPeers(peers) {
      const refused = await context.peers.setClusterPeers(peers);
      context.remoteLinks.directoryChanged(); // names are valid only while their host is an accepted peer
      return refused;
    },
    peers: () => context.peers.states(),
    peer: (name) => context.peers.state(name),
  };
}

/** Checks address and files of a peer's API before anything changes. */
function checkApi({ api }: PeerRequest, apis: PeerApis | undefined): void {
  if (api) apis?.check(checkPeerApi(api));
}

function runningOf(context: Context): Parameters<typeof drawTopology>[0]['running'] {
  return [...context.sandboxes.values()].flatMap(({ config, state }) => (state ? [{ config, state }] : []));
}

function openContext(options: NetworksOptions, host: Host, self: () => Context): Context {
  const { store } = options;
  const links = store.links();
  const sandboxes = new Map(
    store.sandboxes().map(({ config, state }) => [config.containerId, { config, state }] as const),
  );
  const names = new NameService(self, {
    directory: options.directory,
    listen: options.openListener ?? openListenerInNetns,
    noteAnswer: options.noteDnsAnswer,
  });
  const containers: ContainerContext = {
    store,
    containers: options.containers,
    clusterNetworks: options.clusterNetworks,
    sandboxes,
    links: new LinkIndex(links),
    dangling: new Set(links.filter((link) => !sandboxes.has(link.childId))),
    namespaces: new NamespaceReconciler(self),
    names,
    remoteLinks: new RemoteLinks(self, names, options.peerApis),
  };
  return Object.assign(host.context, containers); // one object: both sides change the host's facts
}

/** A listener that throws must not fail the operation that emitted the event. */
function deliver(listener: (event: NetworkEvent) => void, event: NetworkEvent, logger: Logger): void {
  try {
    listener(event);
  } catch (error) {
    logger.error('a listener of network events failed', { error: messageOf(error) });
  }
}
