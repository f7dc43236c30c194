/**
 * What the network box offers to `engine`, and what it needs from the boxes at its side.
 *
 * Words: a *sandbox* is the network side of one container: its namespace, its endpoints, its hosts, hostname and
 * resolv.conf files. An *endpoint* is a sandbox's place in one network: an address, a MAC, a link. A *link* is
 * Docker's legacy `--link` on the default bridge; parent = the container that has it, child = its target.
 *
 * Nothing here knows HTTP. References (`ref`) are a name, an id or an unambiguous id prefix.
 */
import type { KernelOperation, KernelPlan } from '@netyard/kernel';
import type { CaptureRequest, CaptureSession } from './capture-contract.ts';
import type { PeerRecord, PeerRequest, PeerState, RefusedPeer, RemoteTarget } from './peer-contract.ts';

export type * from './peer-contract.ts';

export type NetworkMode =
  | { kind: 'default' } // Docker's "default", that is bridge
  | { kind: 'bridge' }
  | { kind: 'host' }
  | { kind: 'none' }
  | { kind: 'container'; ref: string }
  | { kind: 'network'; ref: string }; // a user-defined network, by name or id

export type NetworkDriver = 'bridge' | 'host' | 'null';

export interface IpamPool {
  subnet: string;
  gateway?: string;
  /** Part of the subnet that dynamic addresses come from. */
  range?: string;
  auxAddresses?: Record<string, string>;
}

export interface NetworkRecord {
  id: string;
  name: string;
  driver: NetworkDriver;
  /** Nanoseconds since 1970. */
  created: bigint;
  ipam: { driver: string; pools: IpamPool[] };
  internal: boolean;
  attachable: boolean;
  enableIpv6: boolean;
  /** Docker's driver options, such as com.docker.network.bridge.name. */
  options: Record<string, string>;
  labels: Record<string, string>;
  /** bridge, host and none: made by us, cannot be removed. */
  predefined: boolean;
}

/** What a container asks of one network. */
export interface EndpointConfig {
  /** Name or id. */
  network: string;
  ipv4Address?: string;
  ipv6Address?: string;
  macAddress?: string;
  /** IPv4 addresses of 169.254.0.0/16 that the endpoint has besides. */
  linkLocalAddresses?: string[];
  aliases?: string[];
  /** `target[:alias]`: DNS aliases on user-defined networks. */
  links?: string[];
  driverOptions?: Record<string, string>;
  gatewayPriority?: number;
}

/** One `-p`. hostPort 0 or absent: any free one from net.ipv4.ip_local_port_range, as Docker does. */
export interface PortRequest {
  protocol: 'tcp' | 'udp' | 'sctp';
  containerPort: number;
  /** '' or '0.0.0.0': every address of the host. */
  hostAddress?: string;
  hostPort?: number;
  /** Upper end when one of a range will do (`-p 8000-8010:80`). */
  hostPortEnd?: number;
}

export interface PublishedPort {
  protocol: 'tcp' | 'udp' | 'sctp';
  containerPort: number;
  hostAddress: string;
  hostPort: number;
}

export interface ExposedPort {
  protocol: 'tcp' | 'udp' | 'sctp';
  port: number;
}

/** Everything the network side of a container is made from. Kept in the store; `prepare` reads it from there. */
export interface SandboxConfig {
  containerId: string;
  /** Without the leading slash. */
  name: string;
  mode: NetworkMode;
  hostname: string;
  domainname?: string;
  /**
   * Endpoints wanted. Given to `register`: those besides the one the mode names. What `config()` returns is complete
   * (the mode's own network included, in order) and is what connect and disconnect change.
   */
  endpoints: EndpointConfig[];
  ports: PortRequest[];
  /** `-P`: publish each exposed port. */
  publishAll: boolean;
  /** From the image and `--expose`, in Docker's order. */
  exposed: ExposedPort[];
  /** Only what the request itself exposes: `container:` mode refuses that, but not EXPOSE of the image. */
  requestedExposed?: ExposedPort[];
  /**
   * HostConfig.Links as given: `target`, `target:alias` or `/target:/parent/alias`. A target `HOST/NAME` that is no
   * `parent/alias` of this host is a container of another one.
   */
  links: string[];
  /** Whether other hosts of the cluster resolve the container's name. Default: `NetworkSettings.publishNames`. */
  publishName?: boolean;
  /** `--add-host name:ip`. */
  extraHosts: string[];
  dns: string[];
  dnsSearch: string[];
  dnsOptions: string[];
  /** `/etc/hosts`, `/etc/hostname`, `/etc/resolv.conf` of the container are made in this folder. */
  filesDirectory: string;
  /** `--sysctl net.*`. */
  sysctls: Record<string, string>;
}

export interface EndpointState {
  id: string;
  networkId: string;
  networkName: string;
  /** Name of the link inside the namespace: eth0. */
  link: string;
  /** Name of its other end on the host. */
  hostLink: string;
  mac: string;
  /** Without prefix length; '' where the network has none. */
  ipv4Address: string;
  ipv4PrefixLength: number;
  ipv4Gateway: string;
  ipv6Address: string;
  ipv6PrefixLength: number;
  ipv6Gateway: string;
  aliases: string[];
  dnsNames: string[];
  config: EndpointConfig;
}

/** The network side of a running container. */
export interface SandboxState {
  id: string;
  /** Path to join; undefined: the host's own (mode host). */
  netnsPath?: string;
  /** In `container:` mode the id of the container whose namespace it is. */
  sharedWith?: string;
  /** A container with CAP_NET_ADMIN shares or shared the namespace: what is changed in there may be meant. */
  sharedWithAdmin?: boolean;
  files: { hosts: string; hostname: string; resolvConf: string };
  endpoints: EndpointState[];
  ports: PublishedPort[];
}

/** A link as the index has it; `docker inspect` shows `/child:/parent/alias`. */
export interface LinkRecord {
  parentId: string;
  /** The target; stays when the target is removed, until a container of the same name takes its place. */
  childId: string;
  alias: string;
  /** The target's present name (its last one when it is gone), and the text it was asked for by. */
  targetName?: string;
  targetRef?: string;
  /** Place among the parent's links, from 0. */
  position?: number;
  /** Its target is a container of another host; `childId` and `targetName` are `HOST/NAME` then. */
  remote?: RemoteTarget;
}

export interface NetworkUse {
  containerId: string;
  containerName: string;
  endpoint: EndpointState;
}

export type NetworkEvent = {
  type: 'network';
  /** `refuse`: a peer that the cluster announces is not let in; `detail` says which and why. */
  action: 'create' | 'connect' | 'disconnect' | 'destroy' | 'repair' | 'refuse';
  networkId: string;
  networkName: string;
  driver: string;
  containerId?: string;
  /** For repair: what was mended, in shell-twin words; for refuse: `peer NAME: PROBLEM`. */
  detail?: string;
};

export interface CreateNetworkRequest {
  name: string;
  driver: string;
  ipam?: { driver?: string; pools: IpamPool[] };
  internal?: boolean;
  attachable?: boolean;
  enableIpv6?: boolean;
  options?: Record<string, string>;
  labels?: Record<string, string>;
}

/** `--repair-containers`. */
export type RepairPolicy = 'auto' | 'always' | 'never';

/** Settings from the daemon's flags; one frozen value. */
export interface NetworkSettings {
  /** `--bip`: address and prefix of the default bridge. Default 172.17.0.1/16. */
  bip: string;
  /** `--bridge`-less name of the default bridge's interface. Default docker0, or ny0 when dockerd's is there. */
  bridgeName: string;
  /** `--icc`: containers of the default bridge may talk freely. */
  icc: boolean;
  /** `--mtu`: 0 = the uplink's. */
  mtu: number;
  /** `--ip`: address that ports are published on when `-p` names none. */
  defaultHostAddress: string;
  /** `--ip-forward`, `--ip-masq`. */
  ipForward: boolean;
  /**
   * Not `--ip-forward-no-drop`: where the daemon itself switched forwarding on, packets that neither come from nor go to
   * containers are dropped. Default true.
   */
  dropStrangers?: boolean;
  ipMasquerade: boolean;
  /**
   * `--foreign-firewall`: accept rules for the bridges in forward chains of other programs that drop. Default true.
   */
  foreignFirewall?: boolean;
  /**
   * `--repair-containers`: whether changes inside containers are undone. `auto`, the default: unless the container has
   * CAP_NET_ADMIN. The container's own label decides before it.
   */
  repairContainers?: RepairPolicy;
  fixedCidr?: string;
  dns: string[];
  dnsSearch: string[];
  dnsOptions: string[];
  /** `--peer`: those that stand in the configuration. */
  peers?: readonly PeerRequest[];
  /**
   * `--cluster`: others will be told by `setClusterPeers`. Until its first call, what stands in the kernel for peers
   * that nobody has named yet is left alone.
   */
  awaitClusterPeers?: boolean;
  /** `--cluster-publish-names`: names of containers that say nothing about it are published. Default false. */
  publishNames?: boolean;
  /** DOCKER_KEEP_DEPRECATED_LEGACY_LINKS_ENV_VARS=1: legacy variables of links. Default false. */
  legacyLinkEnvironment?: boolean;
  /** Host's files: /etc/resolv.conf, /etc/hosts. Parameters, so that tests need not be root. */
  hostResolvConf: string;
  hostHosts: string;
  /** `/run/netns`. */
  netnsDirectory: string;
}

/** The whole network box as `engine` and `docker-api` see it. Implemented by `openNetworks(…)`. */
export interface Networks {
  /**
   * Makes tables and the default bridge true, re-reserves ports and repairs what running sandboxes need.
   * @param options.keepUnknown a container without a record runs: what no plan references may be its network, and stays
   */
  start(running: readonly string[], options?: { keepUnknown?: boolean }): Promise<void>;

  // Networks
  list(): NetworkRecord[];
  /** By name, id or id prefix; `not-found`: `network X not found`. */
  get(ref: string): NetworkRecord;
  create(request: CreateNetworkRequest): Promise<{ id: string; warnings: string[] }>;
  remove(ref: string): Promise<NetworkRecord>;
  uses(networkId: string): NetworkUse[];

  // A container's life
  /**
   * Checks what can be checked at create (mode conflicts, link targets, addresses, MACs, ports), reserves the names of
   * its links, stores the config. Returns warnings. Nothing in the kernel changes.
   */
  register(config: SandboxConfig): Promise<{ warnings: string[] }>;
  /** Allocates, plans, applies. Called right before the container's task is made. */
  prepare(containerId: string): Promise<SandboxState>;
  /** Takes down what `prepare` made; addresses and ports are free again (sticky addresses may be kept for restart). */
  release(containerId: string): Promise<void>;
  /** Forgets the container: config, links, reserved names. */
  unregister(containerId: string): Promise<void>;
  rename(containerId: string, name: string): Promise<void>;
  /** State while running, or undefined. */
  state(containerId: string): SandboxState | undefined;
  config(containerId: string): SandboxConfig | undefined;

  connect(networkRef: string, containerId: string, endpoint: EndpointConfig): Promise<void>;
  disconnect(networkRef: string, containerId: string, force: boolean): Promise<void>;

  // Links
  /** Links of a parent, in the order in which they were given. */
  links(parentId: string): LinkRecord[];
  /** Links that point at this container: for the Names of `docker ps`. */
  linksTo(childId: string): LinkRecord[];
  /** Finds `parent/alias` (with or without leading slash), or undefined. */
  findLink(name: string): LinkRecord | undefined;
  removeLink(name: string): Promise<void>;
  /** Throws `Cannot link to a non running container: /child AS /parent/alias`; run at start and at every exec. */
  checkLinks(containerId: string): void;
  /** Legacy variables; empty unless asked for by DOCKER_KEEP_DEPRECATED_LEGACY_LINKS_ENV_VARS=1. */
  linkEnvironment(containerId: string): string[];

  // Peers
  /**
   * Writes a peer down and makes its routes; it is kept true until removed. Throws, with nothing touched, `invalid` for
   * bad values and addresses that nothing leads to, `conflict` for overlaps and for a peer that exists.
   */
  addPeer(request: PeerRequest): Promise<PeerState>;
  /**
   * Makes the peers of origin `cluster` exactly these, `via` auto unless told; what is as before costs nothing, so that
   * one host among a thousand comes and goes at the cost of one. They are not stored. Who announces what it may not (a
   * subnet of ours or of another's, a whole link's, 0.0.0.0/0, our address) is refused alone: told in the answer, the log
   * and by an event `refuse`, shown by `peers` with its problem, and let in when what stood in its way is gone.
   */
  setClusterPeers(peers: readonly PeerRequest[]): Promise<RefusedPeer[]>;
  /** What addPeer and removePeer would do; throw what they would throw. */
  planAddPeer(request: PeerRequest): Promise<KernelOperation[]>;
  planRemovePeer(name: string): Promise<KernelOperation[]>;
  /** `not-found`: `peer X not found`; `conflict` for one of the configuration. */
  removePeer(name: string): Promise<void>;
  peers(): Promise<PeerState[]>;
  peer(name: string): Promise<PeerState>;

  /** Why containers are cut off on this host, such as another program's forward chain with policy drop. */
  warnings(): string[];

  // Glass box
  /** Everything that stands for a container, a network or a peer: see `printShell` of kernel. */
  explain(ref: string): KernelPlan;
  /** What connect would do. */
  planConnect(networkRef: string, containerId: string, endpoint: EndpointConfig): Promise<KernelOperation[]>;
  /** What disconnect would do. */
  planDisconnect(networkRef: string, containerId: string, force: boolean): Promise<KernelOperation[]>;
  /** What start would do. */
  planPrepare(containerId: string): Promise<KernelOperation[]>;
  /** What `release` would do: nothing for a container that does not run. */
  planRelease(containerId: string): Promise<KernelOperation[]>;
  /** What removeLink would do; throws what it would throw. */
  planRemoveLink(name: string): Promise<KernelOperation[]>;
  /**
   * Packets of a target's link, from the moment this resolves on. Throws `invalid` with the filter compiler's words,
   * `not-found`, `conflict` for what is not running or has no link.
   */
  capture(request: CaptureRequest): Promise<CaptureSession>;
  /** Nodes and edges of all networks, as plain data. */
  topology(): Topology;

  events(listener: (event: NetworkEvent) => void): () => void;
  /** Closes reservations and watchers; leaves the kernel as it is. */
  close(): Promise<void>;
  /** For `system cleanup`: removes all that Netyard ever made in this namespace, also without state. Returns what. */
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

/** What `network` asks about containers; `engine` answers. */
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
        /** It has CAP_NET_ADMIN and may change its own network. */
        netAdmin: boolean;
        /** Label `netyard.repair`: whether changes inside its namespace are undone; undefined: as the daemon decides. */
        repair: boolean | undefined;
      }
    | undefined;
}

/** Where `network` keeps what is wanted. Implemented by `store`. All calls are synchronous and durable. */
export interface NetworkStore {
  networks(): NetworkRecord[];
  putNetwork(record: NetworkRecord): void;
  deleteNetwork(id: string): void;

  sandboxes(): { config: SandboxConfig; state?: SandboxState }[];
  putSandbox(config: SandboxConfig, state?: SandboxState): void;
  deleteSandbox(containerId: string): void;

  links(): LinkRecord[];
  putLink(link: LinkRecord): void;
  deleteLink(link: LinkRecord): void;

  peers(): PeerRecord[];
  putPeer(record: PeerRecord): void;
  deletePeer(name: string): void;

  /** Addresses in use, by network. `lastUsed` orders reuse: the address free for longest is given first. */
  leases(networkId: string): { address: string; containerId: string }[];
  putLease(networkId: string, address: string, containerId: string): void;
  deleteLease(networkId: string, address: string): void;
  /** Where the last dynamic allocation stood, so that a just-freed address is not handed straight back. */
  cursor(networkId: string): string | undefined;
  putCursor(networkId: string, address: string): void;

  /** All puts and deletes inside happen together or not at all. */
  transaction<T>(work: () => T): T;
}
