/**
 * The public API of the network package, and the ports (interfaces) that its adapters implement.
 *
 * Terms: a *sandbox* is the network side of one container: its namespace, endpoints, and hosts, hostname and
 * resolv.conf files. An *endpoint* attaches a sandbox to one network: an address, a MAC, an interface. A *link* is
 * Docker's legacy `--link` on the default bridge: its parent is the container that declares it, its child the target.
 *
 * Nothing here depends on HTTP. References (`ref`) are a name, an id or an unambiguous id prefix.
 */
import type { KernelOperation, KernelPlan } from '@netyard/kernel';
import type { PeerRequest, PeerState, PeerStore, RefusedPeer } from '@netyard/peers';
import type { CaptureRequest, CaptureSession } from './capture-contract.ts';
import type { EndpointRecord, Endpoints } from './endpoint-contract.ts';
import type { Family, PerFamily } from './family.ts';
import type { HostCheck } from './inspection/contract.ts';
import type { EndpointConfig, EndpointState, LinkRecord, SandboxConfig, SandboxState } from './sandbox-contract.ts';

export type * from './endpoint-contract.ts';
export type { Family, PerFamily } from './family.ts';
export type * from './inspection/contract.ts';
export type * from './remote-contract.ts';
export type * from './sandbox-contract.ts';

/** One subnet. */
export interface IpamPool {
  subnet: string;
  gateway?: string;
  /** Part of the subnet from which dynamic addresses are allocated. */
  range?: string;
  auxAddresses?: Record<string, string>;
}

/** The subnets per family, in the order given; an absent family is disabled. */
export interface NetworkIpam extends PerFamily<IpamPool[]> {
  driver: string;
}

export interface NetworkRecord {
  id: string;
  name: string;
  /** Name of a driver of drivers/index.ts: bridge, host or null. */
  driver: string;
  /** Nanoseconds since 1970. */
  created: bigint;
  ipam: NetworkIpam;
  internal: boolean;
  attachable: boolean;
  /** Docker's driver options, such as com.docker.network.bridge.name. */
  options: Record<string, string>;
  labels: Record<string, string>;
  /** bridge, host and none: created by Netyard, cannot be removed. */
  predefined: boolean;
}

export interface NetworkUse {
  containerId: string;
  containerName: string;
  endpoint: EndpointState;
}

export type NetworkEvent = {
  type: 'network';
  /** `refuse`: a peer announced by the cluster is rejected; `detail` says which and why. */
  action: 'create' | 'connect' | 'disconnect' | 'destroy' | 'repair' | 'refuse';
  networkId: string;
  networkName: string;
  driver: string;
  containerId?: string;
  /** For repair: what was repaired, as equivalent commands; for refuse: `peer NAME: PROBLEM`. */
  detail?: string;
};

export interface CreateNetworkRequest {
  name: string;
  driver: string;
  /** Subnets per family; a family without any is enabled by an empty list. Default: IPv4. */
  ipam?: Partial<NetworkIpam>;
  internal?: boolean;
  attachable?: boolean;
  options?: Record<string, string>;
  labels?: Record<string, string>;
}

/** `--repair-containers`. */
export type RepairPolicy = 'auto' | 'always' | 'never';

/** Settings from the daemon's flags; frozen. */
export interface NetworkSettings {
  /** `--bip`: address and prefix length of the default bridge. Default 172.17.0.1/16. */
  bip: string;
  /** Interface name of the default bridge. Default docker0, or ny0 when dockerd's docker0 exists. */
  bridgeName: string;
  /** `--icc`: containers of the default bridge may communicate freely. */
  icc: boolean;
  /** `--mtu`: 0 = the MTU of the uplink. */
  mtu: number;
  /** `--ip`: host address for published ports when `-p` names none. */
  defaultHostAddress: string;
  /** `--ip-forward`, `--ip-masq`. */
  ipForward: boolean;
  /**
   * Not `--ip-forward-no-drop`: where the daemon itself enabled IP forwarding, forwarded packets that neither come from
   * nor go to containers are dropped. Default true.
   */
  dropForeignForwarding?: boolean;
  ipMasquerade: boolean;
  /**
   * `--foreign-firewall`: add accept rules for the bridges to other programs' forward chains that drop. Default true.
   */
  foreignFirewall?: boolean;
  /**
   * `--repair-containers`: whether changes inside containers are undone. `auto`, the default: unless the container has
   * CAP_NET_ADMIN. A container's own label takes precedence.
   */
  repairContainers?: RepairPolicy;
  fixedCidr?: string;
  dns: string[];
  dnsSearch: string[];
  dnsOptions: string[];
  /** `--peer`: peers from the configuration. */
  peers?: readonly PeerRequest[];
  /**
   * `--cluster`: more peers will follow by `setClusterPeers`. Until its first call, kernel objects of unknown peers are
   * kept, since the cluster may name those peers.
   */
  awaitClusterPeers?: boolean;
  /** `--cluster-publish-names`: publish names of containers without an option of their own. Default false. */
  publishNames?: boolean;
  /** DOCKER_KEEP_DEPRECATED_LEGACY_LINKS_ENV_VARS=1: set the legacy environment variables of links. Default false. */
  legacyLinkEnvironment?: boolean;
  /** The host's /etc/resolv.conf and /etc/hosts. Parameters, so that tests do not need root. */
  hostResolvConf: string;
  hostHosts: string;
  /** Lists the tables of iptables-legacy in use. Default /proc/net/ip_tables_names. */
  legacyTables?: string;
  /** `/run/netns`. */
  netnsDirectory: string;
}

/** The public API of the network package for `engine` and `docker-api`. Implemented by `openNetworks(…)`. */
export interface Networks {
  /**
   * Applies the tables and the default bridge, reserves ports again and repairs the objects of running sandboxes.
   * @param options.keepUnknown a container without a record runs: keep unreferenced objects, they may be its network
   */
  start(running: readonly string[], options?: { keepUnknown?: boolean }): Promise<void>;

  // Networks
  list(): NetworkRecord[];
  /** By name, id or id prefix; `not-found`: `network X not found`. */
  get(ref: string): NetworkRecord;
  create(request: CreateNetworkRequest): Promise<{ id: string; warnings: string[] }>;
  remove(ref: string): Promise<NetworkRecord>;
  uses(networkId: string): NetworkUse[];

  // Container lifecycle
  /**
   * Validates what is known at create (mode conflicts, link targets, addresses, MACs, ports), reserves the names of its
   * links, stores the config. Returns warnings. Changes nothing in the kernel.
   */
  register(config: SandboxConfig): Promise<{ warnings: string[] }>;
  /** Allocates, plans, applies. Called right before the container's task is created. */
  prepare(containerId: string): Promise<SandboxState>;
  /** Tears down what `prepare` set up; releases addresses and ports (sticky addresses may be kept for a restart). */
  release(containerId: string): Promise<void>;
  /** Deletes the container's config, links and reserved names. */
  unregister(containerId: string): Promise<void>;
  rename(containerId: string, name: string): Promise<void>;
  /** State while running, or undefined. */
  state(containerId: string): SandboxState | undefined;
  config(containerId: string): SandboxConfig | undefined;

  connect(networkRef: string, containerId: string, endpoint: EndpointConfig): Promise<void>;
  disconnect(networkRef: string, containerId: string, force: boolean): Promise<void>;

  /** Namespaces without a container. */
  readonly endpoints: Endpoints;

  // Container links
  /** All links of a parent, in the order in which they were given. */
  links(parentId: string): LinkRecord[];
  /** All links whose target is this container: for the Names of `docker ps`. */
  linksTo(childId: string): LinkRecord[];
  /** Finds `parent/alias` (with or without leading slash), or undefined. */
  findLink(name: string): LinkRecord | undefined;
  removeLink(name: string): Promise<void>;
  /** Throws `Cannot link to a non running container: /child AS /parent/alias`; run at start and at every exec. */
  checkLinks(containerId: string): void;
  /** Legacy environment variables; empty unless DOCKER_KEEP_DEPRECATED_LEGACY_LINKS_ENV_VARS=1. */
  linkEnvironment(containerId: string): string[];

  // Peers
  /**
   * Stores a peer, creates its routes, and reconciles them until it is removed. On error nothing has changed: `invalid`
   * for bad values and unreachable addresses, `conflict` for overlaps and for an existing peer.
   */
  addPeer(request: PeerRequest): Promise<PeerState>;
  /**
   * Replaces the set of peers of origin `cluster`; `via` defaults to auto. Unchanged peers cost nothing, so that one host
   * joining a cluster of a thousand costs one update. These peers are not stored. A peer with a forbidden announcement (a
   * subnet of this host, of another peer or of a connected network, 0.0.0.0/0, an address of this host) is rejected on
   * its own: reported in the result, in the log and by an event `refuse`, listed by `peers` with its problem, and
   * accepted once the conflict is gone.
   */
  setClusterPeers(peers: readonly PeerRequest[]): Promise<RefusedPeer[]>;
  /** What addPeer and removePeer would do; throw the same errors. */
  planAddPeer(request: PeerRequest): Promise<KernelOperation[]>;
  planRemovePeer(name: string): Promise<KernelOperation[]>;
  /** `not-found`: `peer X not found`; `conflict` for a peer from the configuration. */
  removePeer(name: string): Promise<void>;
  peers(): Promise<PeerState[]>;
  peer(name: string): Promise<PeerState>;

  /**
   * Compares the host with the plan; changes nothing. Before `start` it compares what the store has, for a host whose
   * daemon does not run.
   */
  inspect(): Promise<HostCheck[]>;
  /** Why container traffic is blocked on this host, such as another program's forward chain with policy drop. */
  warnings(): string[];

  // Inspection
  /** All kernel objects of a container, a network, a peer or an attached endpoint: see `printShell` of kernel. */
  explain(ref: string): KernelPlan;
  /** What connect would do. */
  planConnect(networkRef: string, containerId: string, endpoint: EndpointConfig): Promise<KernelOperation[]>;
  /** What disconnect would do. */
  planDisconnect(networkRef: string, containerId: string, force: boolean): Promise<KernelOperation[]>;
  /** What start would do. */
  planPrepare(containerId: string): Promise<KernelOperation[]>;
  /** What `release` would do: nothing for a container that is not running. */
  planRelease(containerId: string): Promise<KernelOperation[]>;
  /** What removeLink would do; throws the same errors. */
  planRemoveLink(name: string): Promise<KernelOperation[]>;
  /**
   * Captures packets of a target's interface; packets sent after this resolves are included. Throws `invalid` with the
   * filter compiler's message, `not-found`, `conflict` for a target that is not running or has no interface.
   */
  capture(request: CaptureRequest): Promise<CaptureSession>;
  /** Nodes and edges of all networks, as plain data. */
  topology(): Topology;

  events(listener: (event: NetworkEvent) => void): () => void;
  /** Closes port reservations and watchers; leaves the kernel unchanged. */
  close(): Promise<void>;
  /** For `system cleanup`: deletes every Netyard object in this namespace, even without state. Returns them as text. */
  cleanup(options: { dryRun: boolean }): Promise<string[]>;
}

export interface Topology {
  nodes: {
    id: string;
    kind: 'network' | 'container' | 'host' | 'peer';
    name: string;
    detail: Record<string, string>;
  }[];
  edges: { from: string; to: string; address: string; link: string }[];
}

/** Container data that `network` reads; implemented by `engine`. */
export interface ContainerDirectory {
  /** Full id for a name, id or id prefix, or undefined. Also finds `parent/alias`. */
  find(ref: string): string | undefined;
  info(containerId: string):
    | {
        name: string;
        state: 'created' | 'running' | 'paused' | 'restarting' | 'exited' | 'dead' | 'removing';
        /** Config.Env, for legacy link variables. */
        env: readonly string[];
        hostname: string;
        /** It has CAP_NET_ADMIN and can change its own network. */
        netAdmin: boolean;
        /** Label `netyard.repair`: whether changes inside its namespace are undone; undefined: the daemon's setting. */
        repair: boolean | undefined;
      }
    | undefined;
}

/** Persistence of the desired state. Implemented by `store`. All calls are synchronous and durable. */
export interface NetworkStore extends PeerStore {
  networks(): NetworkRecord[];
  putNetwork(record: NetworkRecord): void;
  deleteNetwork(id: string): void;

  sandboxes(): { config: SandboxConfig; state?: SandboxState }[];
  putSandbox(config: SandboxConfig, state?: SandboxState): void;
  deleteSandbox(containerId: string): void;

  endpoints(): EndpointRecord[];
  putEndpoint(record: EndpointRecord): void;
  deleteEndpoint(id: string): void;

  links(): LinkRecord[];
  putLink(link: LinkRecord): void;
  deleteLink(link: LinkRecord): void;

  /** Leased addresses by network; `containerId` is the id of a container or of an attached endpoint. `lastUsed` orders reuse: the address that was free for longest is allocated first. */
  leases(networkId: string): { address: string; containerId: string }[];
  putLease(networkId: string, address: string, containerId: string): void;
  deleteLease(networkId: string, address: string): void;
  /** The last dynamically allocated address of a family, so that a just-released one is not allocated again at once. */
  cursor(networkId: string, family: Family): string | undefined;
  putCursor(networkId: string, family: Family, address: string): void;

  /** All puts and deletes inside are committed together or not at all. */
  transaction<T>(work: () => T): T;
}
