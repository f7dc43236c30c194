/**
 * The public API of the sandbox package, and the ports (interfaces) that its adapters implement, with the types of network.
 *
 * Terms: a *sandbox* is the network side of one container: its namespace, endpoints, and hosts, hostname and
 * resolv.conf files. An *endpoint* attaches a sandbox to one network: an address, a MAC, an interface. A *link* is
 * Docker's legacy `--link` on the default bridge: its parent is the container that declares it, its child the target.
 *
 * Nothing here depends on HTTP. References (`ref`) are a name, an id or an unambiguous id prefix.
 */
import type { KernelOperation, KernelPlan } from '@netyard/kernel';
import type {
  ClusterNetwork,
  ClusterNetworkProblem,
  CreateNetworkRequest,
  EndpointConfig,
  Endpoints,
  HostStore,
  NetworkEvent,
  NetworkRecord,
  NetworkUse,
  PortRequest,
  PublishedPort,
} from '@netyard/network';
import type { PeerRequest, PeerState, RefusedPeer } from '@netyard/peers';
import type { CaptureRequest, CaptureSession } from './capture-contract.ts';
import type { HostCheck } from './inspection/contract.ts';
import type { LinkRecord, SandboxConfig, SandboxState } from './sandbox-contract.ts';

export type * from '@netyard/network';
export type * from './inspection/contract.ts';
export type * from './remote-contract.ts';
export type * from './sandbox-contract.ts';

/** The public API of the sandbox package for `engine` and `docker-api`. Implemented by `openNetworks(…)`. */
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
  /** Active endpoints in one network, or in all. */
  uses(networkId?: string): NetworkUse[];
  /** Addresses in use, reserved ones included, and those left for automatic allocation. Empty without addresses. */
  subnetUse(networkId: string): { subnet: string; inUse: bigint; available: bigint }[];
  /**
   * Creates the networks of the cluster that this host does not have yet, and removes those that the list does not contain,
   * once no endpoint uses them. Returns what could not be done; a later call does it.
   */
  setClusterNetworks(networks: readonly ClusterNetwork[]): Promise<ClusterNetworkProblem[]>;

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

  /**
   * Reports changes inside the container's namespace at once, however many others are watched, until the returned function is
   * called: for the time of a process in it that may change its network, such as a privileged exec.
   */
  holdWatch(containerId: string): () => void;

  connect(networkRef: string, containerId: string, endpoint: EndpointConfig): Promise<void>;
  disconnect(networkRef: string, containerId: string, force: boolean): Promise<void>;

  /**
   * Adds ports to the container's config, and publishes them if it runs. On failure nothing has changed: `failed` for a
   * port in use, as at start, `invalid` or `forbidden` for a container that cannot publish ports.
   */
  addPorts(containerId: string, ports: readonly PortRequest[]): Promise<AddedPorts>;
  /** `not-found` for a port that the container does not publish, with nothing removed. */
  removePorts(containerId: string, ports: readonly PortSelector[]): Promise<void>;

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
  /** What `create` and `remove` would do; throw the same errors. */
  planCreate(request: CreateNetworkRequest): Promise<KernelOperation[]>;
  planRemove(ref: string): Promise<KernelOperation[]>;
  /** What connect would do. */
  planConnect(networkRef: string, containerId: string, endpoint: EndpointConfig): Promise<KernelOperation[]>;
  /** What disconnect would do. */
  planDisconnect(networkRef: string, containerId: string, force: boolean): Promise<KernelOperation[]>;
  planAddPorts(containerId: string, ports: readonly PortRequest[]): Promise<KernelOperation[]>;
  planRemovePorts(containerId: string, ports: readonly PortSelector[]): Promise<KernelOperation[]>;
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

export interface AddedPorts {
  /** Empty for a container that does not run. */
  published: PublishedPort[];
  warnings: string[];
}

/** A port as `-p` has it. Without a host port or address: all ports of the container's port. */
export type PortSelector = Readonly<PortRequest>;

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
        /** Label `com.docker.compose.project`. */
        project?: string | undefined;
        /** It has CAP_NET_ADMIN and can change its own network. */
        netAdmin: boolean;
        /** Label `netyard.repair`: whether changes inside its namespace are undone; undefined: the daemon's setting. */
        repair: boolean | undefined;
      }
    | undefined;
}

/** Persistence of the desired state. Implemented by `store`. All calls are synchronous and durable. */
export interface NetworkStore extends HostStore {
  sandboxes(): { config: SandboxConfig; state?: SandboxState }[];
  putSandbox(config: SandboxConfig, state?: SandboxState): void;
  deleteSandbox(containerId: string): void;

  links(): LinkRecord[];
  putLink(link: LinkRecord): void;
  deleteLink(link: LinkRecord): void;
}
