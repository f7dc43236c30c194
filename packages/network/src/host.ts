/**
 * Composes the host's part: networks with their addresses, ports, peers and firewall, and what repairs them. It knows no
 * containers, only what is attached to the networks.
 */

import { type Clock, KeyedQueue, type Logger } from '@netyard/core';
import type { Kernel } from '@netyard/kernel';
import { type OwnHost, type OwnNetwork, openPeers } from '@netyard/peers';
import { type Attachments, unite } from './attachments.ts';
import type { Endpoints, HostStore, NetworkEvent, NetworkRecord, NetworkSettings } from './contract.ts';
import { defaultBridgeOptions, planBridgePool } from './drivers/bridge/default-bridge.ts';
import { showEndpoints } from './endpoints/attachments.ts';
import { openEndpoints } from './endpoints/open.ts';
import { valuesOf } from './family.ts';
import type { HostContext } from './host-context.ts';
import { HostLinks } from './host-links.ts';
import { NetworkPools } from './ipam/network-pools.ts';
import { subnetPoolsOf } from './ipam/subnet-pools.ts';
import { bridgeOf } from './lookup.ts';
import type { BridgeSettings, FamilySettings } from './model.ts';
import { NetworkTable } from './network-table.ts';
import { missingNetworks } from './networks/predefined.ts';
import { loadLeases } from './networks.ts';
import { PortTable } from './ports/table.ts';
import { describe } from './reconcile/describe.ts';
import { releaseForeignRules } from './reconcile/foreign-rules.ts';
import { Guard } from './reconcile/guard.ts';
import { HostUseCache } from './reconcile/host-use.ts';
import { LinkDeletions } from './reconcile/link-deletions.ts';
import { applyMtu } from './reconcile/mtu.ts';
import { cleanup } from './reconcile/orphans.ts';
import { Reconciler } from './reconcile/reconciler.ts';

export interface HostOptions {
  kernel: Kernel;
  store: HostStore;
  settings: NetworkSettings;
  /** What is attached besides the namespaces that `Host.endpoints` attaches. */
  containers: Attachments;
  emit(event: Omit<NetworkEvent, 'type'>): void;
  logger: Logger;
  clock: Clock;
}

export interface Host {
  readonly context: HostContext;
  readonly endpoints: Endpoints;
  /** The tables are applied and repairs run: see `watch`. */
  readonly isWatching: boolean;
  /** Called after `startHost` and the adoption of what is attached: repairs from now on. Idempotent. */
  watch(): Promise<void>;
  /** Waits for repairs in progress. */
  stopRepairs(): Promise<void>;
  /** Called after `stopRepairs`. Leaves the kernel unchanged, except for rules in foreign chains that nothing needs. */
  close(): Promise<void>;
  /** See `Networks.cleanup`. */
  cleanup(options: { dryRun: boolean }): Promise<string[]>;
}

/** Throws `invalid` for invalid settings. Accesses only the store. */
export function openHost(options: HostOptions): Host {
  const context = openContext(options, {
    ownDeletion: () => reconciler.ownDeletion(),
    bridgesChanged: () => guard.follow(),
  });
  const reconciler: Reconciler = new Reconciler(context);
  const guard: Guard = new Guard(context);
  let isWatching = false;
  return {
    context,
    endpoints: openEndpoints(context),
    get isWatching() {
      return isWatching;
    },
    async watch() {
      if (!isWatching) reconciler.start();
      await guard.start();
      isWatching = true;
      context.peers.startSampling();
    },
    async stopRepairs() {
      await context.peers.close();
      guard.close(); // before waiting for repairs, which wait for the guard
      await reconciler.close();
    },
    async close() {
      if (isWatching) await releaseForeignRules(context);
      await context.linkDeletions.close();
      context.ports.close();
    },
    cleanup: ({ dryRun }) => cleanup(context, { dryRun, keepDesired: isWatching }, describe),
  };
}

function openContext(options: HostOptions, hooks: Pick<HostContext, 'ownDeletion' | 'bridgesChanged'>): HostContext {
  const { kernel, store, settings, logger, clock, emit } = options;
  const records = openRecords(options);
  const self = (): HostContext => context;
  const peers = openPeers({
    ...{ kernel, store, logger, clock, host: ownHost(self) },
    ...{ configured: settings.peers ?? [], awaitsCluster: settings.awaitClusterPeers === true },
  });
  const context: HostContext = {
    ...{ kernel, store, settings, logger, clock, emit, ...hooks },
    networks: new NetworkTable(records, subnetPoolsOf(settings.defaultAddressPools, settings.daemonId)),
    attached: new Map(store.endpoints().map((record) => [record.id, record])),
    attachments: unite(options.containers, showEndpoints(self)),
    peers,
    get mtuLimit() {
      return peers.mtuLimit;
    },
    foreign: { rules: [], blocks: [] },
    pools: new Map(),
    hostUse: new HostUseCache(kernel, settings),
    ports: new PortTable((protocol, address, port) => kernel.reservePort(protocol, address, port)),
    hostLinks: new HostLinks(),
    knownSegments: new Set(),
    queue: new KeyedQueue(),
    linkDeletions: new LinkDeletions(kernel, logger),
    facts: {
      ipv6: true,
      ipv6Addresses: false,
      bridgeNetfilter: false,
      bridgeNetfilter6: false,
      isolates: false,
      checksSources: false,
      ipv6Networks: false,
      ...forwardingFacts(settings),
    },
    dynamicPorts: { first: 32768, last: 60999 },
  };
  for (const record of context.networks.values()) openPools(context, record.id);
  return context;
}

/** The stored networks, and the predefined ones, which are created if they are missing. */
function openRecords({ store, settings, clock }: HostOptions): NetworkRecord[] {
  const pool = planBridgePool(settings);
  const stored = store.networks();
  const made = missingNetworks(stored, pool, defaultBridgeOptions(settings, settings.mtu || 1500), clock.now());
  store.transaction(() => {
    for (const record of made) store.putNetwork(record);
  });
  return [...stored, ...made];
}

/** This host, as its peers' routes and tunnels depend on it. */
function ownHost(context: () => HostContext): OwnHost {
  let known: { version: number; bridges: readonly OwnNetwork[] } | undefined;
  return {
    networks() {
      const { networks } = context();
      if (known?.version === networks.version) return known.bridges;
      // The default bridge, which is predefined, comes first.
      const sorted = [...networks.values()].toSorted((a, b) => Number(b.predefined) - Number(a.predefined));
      const bridges = sorted.flatMap(({ id }) => ownNetworkOf(bridgeOf(context(), id)));
      known = { version: networks.version, bridges };
      return bridges;
    },
    hasIpv6: () => context().facts.ipv6,
    get openTunnel() {
      return context().settings.tunnelFirewall === false;
    },
    mtuChanged: (change) => applyMtu({ ...context(), ...change }),
    refused(name, problem) {
      const bridge = [...context().networks.values()].find((record) => record.name === 'bridge');
      if (!bridge) return;
      const { id: networkId, name: networkName, driver } = bridge;
      context().emit({ action: 'refuse', networkId, networkName, driver, detail: `peer ${name}: ${problem}` });
    },
    ownDeletion: () => context().ownDeletion(),
  };
}

/** One for each family of the network. */
function ownNetworkOf(bridge: BridgeSettings | undefined): OwnNetwork[] {
  if (bridge === undefined) return [];
  const { networkName, link, acceptsPeers, internal } = bridge;
  return valuesOf<FamilySettings>(bridge).map(({ subnet, gateway, wholeSubnet }) => ({
    ...{ networkName, link, subnet, acceptsPeers: acceptsPeers && !internal },
    ...(gateway === undefined ? {} : { gateway }),
    ...(wholeSubnet === undefined ? {} : { wholeSubnet }),
  }));
}

/** Whether the daemon enabled IP forwarding is read at start. */
const forwardingFacts = ({ ipForward, dropForeignForwarding = true }: NetworkSettings) => ({
  ...{
    ipForward,
    enabledForwarding: false,
    enabledIpv6Forwarding: false,
    advertisedUplinks: [],
    dropsForeignForwarding: dropForeignForwarding,
    engineBridges: [],
    guarded: false,
  },
});

function openPools(context: HostContext, networkId: string): void {
  const ipam = context.networks.get(networkId)?.ipam ?? {};
  if (valuesOf(ipam).flat().length === 0) return;
  const pools = new NetworkPools(ipam);
  loadLeases(context, networkId, pools);
  context.pools.set(networkId, pools);
}
