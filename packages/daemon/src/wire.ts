/** The composition root: opens every package, in the order of their dependencies. */
import { chmodSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Cluster } from '@netyard/cluster';
import { type Logger, systemClock, UndoStack } from '@netyard/core';
import { type ApiOptions, createApiServer, type PageAccess } from '@netyard/docker-api';
import { createImageService, type Engine, type EngineSettings, openEngine } from '@netyard/engine';
import {
  FileSystemMounter,
  type Kernel,
  makeFifo,
  mountPoints,
  openFifo,
  openKernel,
  unmountFileSystem,
} from '@netyard/kernel';
import type { NetworkSettings } from '@netyard/network';
import {
  openBuilder,
  openImageContent,
  openRegistry,
  openRootFilesystems,
  openRuntime,
  type RegistryLogin,
} from '@netyard/runtime';
import { type Networks, openNetworks } from '@netyard/sandbox';
import { makeRoom, openDataRoot, type Store } from '@netyard/store';
import type { PageSources } from '@netyard/web';
import { followCluster, joinCluster, remoteDirectory, watchAddresses, withClusterBridge } from './cluster.ts';
import { checkClusterApi, clusterApi } from './cluster-apis.ts';
import { ClusterSync } from './cluster-networks.ts';
import type { DaemonConfig } from './config.ts';
import { openContainerd } from './containerd.ts';
import { openFlows } from './flows.ts';
import { planConnections, readCgroupVersion, readDaemonId, readHostFacts, readProcessLimits } from './host-facts.ts';
import { releaseIdleMemory } from './idle-memory.ts';
import { type OpenedJournal, openJournal } from './journal.ts';
import { type Listeners, listen } from './listen.ts';
import { takeLock } from './lock.ts';
import type { MeasuredEngine, Measuring } from './metrics.ts';
import { openCommands } from './page-commands.ts';
import { remoteHosts } from './page-hosts.ts';
import { openPeerApis } from './peer-apis.ts';
import { capturePeer, tracePeer } from './peer-streams.ts';
import { reachablePeers } from './reachable-peers.ts';
import { shellPrinter } from './shell-printer.ts';

export interface RunningDaemon {
  addresses: string[];
  /** Ends the daemon, and its containers unless they outlive it. Continues after failures; returns all of them. */
  stop(): Promise<unknown[]>;
}

interface Opening {
  /** With a cluster, its default bridge has the cluster's subnet. */
  config: DaemonConfig;
  cluster: Cluster | undefined;
  /** Makes this host follow its cluster. */
  sync: ClusterSync | undefined;
  logger: Logger;
  env: Readonly<Record<string, string | undefined>>;
  /** How to close what has been opened: for a failed start and an orderly end. */
  opened: UndoStack;
  /** With --metrics-addr. */
  measuring?: Measuring | undefined;
  /** With --journal-size; opened after the data root. */
  journal?: OpenedJournal | undefined;
}

export async function startDaemon(
  config: DaemonConfig,
  logger: Logger,
  env: Readonly<Record<string, string | undefined>>,
): Promise<RunningDaemon> {
  const opened = new UndoStack();
  try {
    if (config.cluster) checkClusterApi(config.cluster);
    openFolders(config, opened);
    const cluster = await joinCluster(config, logger);
    if (cluster) opened.push(() => cluster.close());
    const sync = cluster && new ClusterSync(cluster, logger);
    // Loaded only where it is switched on.
    const measuring = config.metrics && (await import('./metrics.ts')).startMeasuring();
    const cooperating = { config: withClusterBridge(config, cluster), cluster, sync };
    const addresses = await openAll({ ...cooperating, logger, env, opened, measuring });
    return { addresses, stop: () => opened.rollback() };
  } catch (error) {
    for (const failure of await opened.rollback()) logger.error('rolling back the start failed', { error: failure });
    throw error;
  }
}

async function openAll(given: Opening): Promise<string[]> {
  const { config, cluster, sync, logger, opened, measuring } = given;
  const kernel = openKernel({ logger, ...(measuring ? { noteApply: measuring.noteApply } : {}) });
  opened.push(() => kernel.close());
  const store = openDataRoot(config.dataRoot, { logger });
  opened.push(() => store.close());
  const journal = openJournal(config, logger);
  if (journal) opened.push(() => journal.close());
  const opening: Opening = { ...given, journal };
  const packages = await openEngineOn(opening, kernel, store);
  const { engine, networks } = packages;
  opened.push(() => networks.close());
  opened.push(() => engine.stop({ stopContainers: !config.liveRestore }));
  journal?.recorder.followEvents(engine.events);
  journal?.recorder.followKernel(kernel);
  await engine.start();
  if (cluster && sync) await followHosts(opening, { cluster, sync }, kernel, packages);
  // Loaded only where it is switched on.
  const page =
    config.web && (await (await import('./web.ts')).openPage(config.web, pageSources(opening, kernel, packages)));
  if (page) opened.push(() => page.close());
  const metrics = config.metrics && (await measuring?.open(config.metrics, measuredEngine(opening, kernel, packages)));
  if (metrics) opened.push(() => metrics.close());
  const listeners = await openApi(opening, packages, page);
  opened.push(() => listeners.close());
  opened.push(releaseIdleMemory(logger));
  return [...listeners.addresses, ...(page ? [page.address] : []), ...(metrics ? [metrics.address] : [])];
}

/** From here on the cluster's hosts are peers, its networks exist, and the cluster learns of uplink changes. */
async function followHosts(
  { logger, opened }: Opening,
  { cluster, sync }: { cluster: Cluster; sync: ClusterSync },
  kernel: Kernel,
  { networks, engine }: OpenedPackages,
): Promise<void> {
  const ending = new AbortController();
  opened.push(() => ending.abort());
  opened.push(await followCluster(cluster, sync, networks, engine.events, logger));
  watchAddresses(cluster, kernel, ending.signal).catch((error: unknown) => {
    if (!ending.signal.aborted) logger.error('changes of addresses are not detected any more', { error });
  });
}

/** Other users can traverse the roots to what they have access to, but not list them. */
function openFolders(config: DaemonConfig, opened: UndoStack): void {
  for (const folder of [config.dataRoot, config.execRoot]) {
    mkdirSync(folder, { recursive: true, mode: 0o711 });
    chmodSync(folder, 0o711);
    if (folder === config.dataRoot) makeRoom(folder); // the lock needs a page
    const lock = takeLock(join(folder, 'daemon.lock'), folder);
    opened.push(() => lock.release());
  }
  takeNetwork(opened);
}

/** Only one daemon may own the bridge, tables and namespace names: a second one would remove them as leftovers. */
function takeNetwork(opened: UndoStack): void {
  const folder = '/run/netyard';
  mkdirSync(folder, { recursive: true, mode: 0o711 });
  const inode = statSync('/proc/self/ns/net').ino;
  const lock = takeLock(join(folder, `network-${inode}.lock`), "this host's network");
  opened.push(() => lock.release());
}

interface OpenedPackages {
  engine: Engine;
  networks: Networks;
  registry: RegistryLogin;
  readUsage: MeasuredEngine['readUsage'];
}

async function openEngineOn(opening: Opening, kernel: Kernel, store: Store): Promise<OpenedPackages> {
  const { config, cluster, sync, logger, env, opened, measuring, journal } = opening;
  const containerd = await openContainerd(config, logger, env);
  opened.push(() => containerd.close());
  const { client, ready, own } = containerd;
  const searchPath = env['PATH'] ?? '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
  const runtime = await openRuntime({
    client,
    ...(ready ? { ready } : {}),
    ...(own ? { own } : {}),
    runtimeName: config.defaultRuntime,
    runtimeRoot: join(config.execRoot, 'runtime'),
    cgroupParent: config.cgroupParent,
    searchPath,
    logger,
  });
  opened.push(() => runtime.close());
  const { dataRoot, archiveLimits } = config;
  for (const warning of config.warnings) logger.warn(warning);
  const content = await openImageContent({ containerd: client, dataRoot, archiveLimits });
  const rootfs = openRootFilesystems({ dataRoot, archiveLimits, logger });
  const registry = openRegistry({ insecureRegistries: config.insecureRegistries });
  const settings = { ...networkSettings(config, cluster?.view().pool.subnet), daemonId: readDaemonId(dataRoot) };
  const clock = systemClock;
  const mounter = new FileSystemMounter();
  const names = cluster && sync ? { directory: remoteDirectory(cluster), clusterNetworks: sync } : {};
  const peerApis = openPeerApis(logger);
  const engine = openEngine({
    runtime,
    rootfs,
    networks(containers) {
      const noting = measuring ? { noteDnsAnswer: measuring.noteDnsAnswer } : {};
      const options = { kernel, store, containers, settings, peerApis, ...names, ...noting, logger, clock };
      const networks = openNetworks(options);
      journal?.follow(networks);
      const recorded = journal?.recorder.followNetworks(networks, containers) ?? networks;
      return measuring?.time(recorded) ?? recorded;
    },
    images: (neighbours) =>
      createImageService({ store, content, registry, archiveLimits, clock, logger, ...neighbours }),
    store,
    settings: engineSettings(config),
    builder: openBuilder({ dataRoot, searchPath, cgroupParent: config.cgroupParent, archiveLimits }),
    files: { makeFifo, openFifo },
    mounts: { mountFileSystem: (target, call) => mounter.mount(target, call), unmountFileSystem, mountPoints },
    linkStatistics: (link, ns) => kernel.linkStatistics(link, ns),
    logger,
    clock,
  });
  return { engine, networks: engine.hostNetworks, registry, readUsage: (path) => runtime.usage(path) };
}

const pageSources = (
  { config, cluster, logger, env }: Opening,
  kernel: Kernel,
  { engine, networks }: OpenedPackages,
): PageSources => {
  const socket = config.hosts.find((address) => address.kind === 'unix')?.path;
  const commands = openCommands({ socket, env });
  const others = cluster ? { remoteHosts: () => remoteHosts(cluster) } : {};
  const ofCluster = clusterApiOf(cluster, config);
  const reachable = reachablePeers(networks, ({ record, origin }) =>
    record.api === undefined && origin === 'cluster' ? ofCluster?.(record.name) : record.api,
  );
  const info = readHostFacts(config);
  return {
    ...{ engine, networks, kernel, shell: shellPrinter, commands, ...others, reachablePeers: reachable, info },
    ...{ clock: systemClock, logger },
  };
};

const measuredEngine = (
  { config, logger }: Opening,
  kernel: Kernel,
  { engine, networks, readUsage }: OpenedPackages,
): MeasuredEngine => {
  const { cgroupParent } = config;
  return { engine, networks, kernel, readUsage, info: readHostFacts(config), cgroupParent, logger };
};

/** Throws where a host has none, as `clusterApi`. */
function clusterApiOf(cluster: Cluster | undefined, { cluster: options }: DaemonConfig): ApiOptions['clusterApi'] {
  return cluster && options && ((host) => clusterApi(cluster, options, host));
}

async function openApi(
  { config, cluster, logger, measuring, journal }: Opening,
  { engine, networks, registry }: OpenedPackages,
  page: PageAccess | undefined,
): Promise<Listeners> {
  const ofCluster = clusterApiOf(cluster, config);
  const options: ApiOptions = {
    engine,
    networks,
    ...(cluster ? { cluster } : {}),
    info: readHostFacts(config),
    shell: shellPrinter,
    login: (domain, credentials, signal) => registry.login(domain, credentials, signal),
    capturePeer,
    tracePeer,
    openFlow: openFlows(networks, unixSockets(config)),
    ...(page ? { page } : {}),
    ...(measuring ? { noteHandled: measuring.noteHandled } : {}),
    ...(journal ? { journal: journal.reader } : {}),
    limits: planConnections(readProcessLimits()),
    ...(ofCluster ? { clusterApi: ofCluster } : {}),
    logger,
  };
  return await listen((tls) => createApiServer(options, tls), config.hosts, { group: config.group, tls: config.tls });
}

function engineSettings(config: DaemonConfig): EngineSettings {
  return {
    dataRoot: config.dataRoot,
    execRoot: config.execRoot,
    cgroupParent: config.cgroupParent,
    cgroupVersion: readCgroupVersion(),
    logDriver: config.logDriver,
    logOptions: { ...config.logOptions },
    stopTimeoutSeconds: config.shutdownTimeoutSeconds,
    shmSize: config.shmSize,
    storageDriver: 'overlayfs',
  };
}

const unixSockets = ({ hosts }: DaemonConfig): string[] =>
  hosts.flatMap((host) => (host.kind === 'unix' ? [host.path] : []));

/** @param clusterPool of which the hosts of a cluster get their subnets */
export function networkSettings(config: DaemonConfig, clusterPool?: string): NetworkSettings {
  return {
    bip: config.bip,
    bridgeName: config.bridge === '' ? 'docker0' : config.bridge,
    icc: config.icc,
    mtu: config.mtu,
    portsPerBridge: config.portsPerBridge,
    defaultHostAddress: config.ip,
    ipForward: config.ipForward,
    dropForeignForwarding: !config.ipForwardNoDrop,
    ipMasquerade: config.ipMasquerade,
    foreignFirewall: config.foreignFirewall,
    tunnelFirewall: config.tunnelFirewall,
    repairContainers: config.repairContainers,
    ...(config.fixedCidr === '' ? {} : { fixedCidr: config.fixedCidr }),
    ...(config.defaultGateway === '' ? {} : { defaultGateway: config.defaultGateway }),
    ...(config.hostGateways.length === 0 ? {} : { hostGateways: config.hostGateways }),
    ...(config.bridgeIpv6 ? { bridgeIpv6: config.bridgeIpv6 } : {}),
    ...(config.defaultAddressPools.length === 0 ? {} : { defaultAddressPools: config.defaultAddressPools }),
    defaultNetworkOptions: config.defaultNetworkOptions,
    reservedSubnets: clusterPool === undefined ? [] : [clusterPool],
    dns: [...config.dns],
    dnsSearch: [...config.dnsSearch],
    dnsOptions: [...config.dnsOptions],
    peers: config.peers,
    awaitClusterPeers: config.cluster !== undefined,
    publishNames: config.clusterPublishNames,
    legacyLinkEnvironment: config.legacyLinkEnvironment,
    hostResolvConf: '/etc/resolv.conf',
    hostHosts: '/etc/hosts',
    netnsDirectory: '/run/netns',
  };
}
