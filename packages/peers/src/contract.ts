/**
 * The public API of the peers package, and the ports (interfaces) that its user implements. A *peer* is another host whose
 * containers exchange packets with this host's containers, without NAT.
 */
import type { Logger, Prefix } from '@netyard/core';
import type { Kernel, KernelEvent, KernelObject, KernelOperation, KernelPlan } from '@netyard/kernel';

/** How a peer is reached: by a route via its address on a shared link, through a tunnel, or whichever is possible. */
export type PeerVia = 'auto' | 'route' | 'vxlan';

export interface PeerRequest {
  name: string;
  /** IPv4 or IPv6 address of the peer's host, without prefix length. */
  address: string;
  /** Subnets of its containers, without host bits. */
  subnets: string[];
  /** Default `auto`. */
  via?: PeerVia;
  /** Used for links to `HOST/NAME` without a cluster, and for captures. */
  api?: PeerApi;
  /**
   * Name of this host's network of which the subnets are the other host's part: only containers of the network exchange
   * packets with these. Several peers with a network have the address of one peer without, from whose path theirs follow.
   */
  network?: string;
}

/** Another host whose containers exchange packets with this host's containers, without NAT. */
export interface PeerRecord {
  name: string;
  address: string;
  subnets: string[];
  via: PeerVia;
  api?: PeerApi;
  /** See `PeerRequest`. */
  network?: string;
  /** Nanoseconds since 1970. */
  created: bigint;
}

/** The current path: determined again whenever interfaces, addresses or routes of the host change. */
export interface PeerPath {
  kind: 'route' | 'vxlan';
  /** Output interface for packets to the peer's containers: the uplink to the peer, or the tunnel. */
  link: string;
  gateway: string;
  /** Source address of packets from this host itself to the peer's containers. */
  source?: string;
  /** The same for packets to IPv6 subnets; absent if the peer has none. */
  ipv6Source?: string;
  /** Interface towards the peer's host, and this host's address on it, by which the peer knows this host. */
  uplink: string;
  local: string;
  /** The peer is on-link on the uplink, with no router between. */
  shared: boolean;
  /** Largest packet of a container that is not fragmented on the path. */
  mtu: number;
}

export type PeerOrigin = 'request' | 'config' | 'cluster';

/** A peer of `setClusterPeers` that is rejected, and why. */
export interface RefusedPeer {
  name: string;
  problem: string;
}

export interface PeerState {
  record: PeerRecord;
  /** Added by a request, from the daemon's configuration, or announced by the cluster. */
  origin: PeerOrigin;
  /** Absent while the peer is unreachable. */
  path?: PeerPath;
  routes: { subnet: string; present: boolean }[];
  /** Packets of the peer's containers are accepted. */
  open: boolean;
  /** Packets accepted since the rules were created: from the peer's containers to this host's, and back. */
  packets: { in: bigint; out: bigint };
  /**
   * Nanoseconds since 1970: time of the last sample whose counter of packets from the peer's containers had grown since
   * the sample before. Samples are taken periodically and on each request. Absent while unknown.
   */
  lastSeen?: bigint;
  /** Descriptions of detected problems; empty when this side is complete. */
  problems: string[];
}

/** Endpoint and credentials of a peer's API: an `https://` address and absolute paths of PEM files. */
export interface PeerApi {
  url: string;
  ca: string;
  certificate: string;
  key: string;
}

/** A peer as it is known now, without the kernel being asked. */
export interface KnownPeer {
  readonly record: PeerRecord;
  readonly origin: PeerOrigin;
  /** Absent while the peer is unreachable. */
  readonly path?: PeerPath | undefined;
  /** Why there is no path. */
  readonly problem?: string | undefined;
}

export interface KnownPeers {
  get(name: string): KnownPeer | undefined;
  values(): Iterable<KnownPeer>;
  /** The peer whose subnet contains an address. */
  findBySubnet(address: string): KnownPeer | undefined;
  /** A peer's subnet that overlaps with a prefix; `last` is its last address as a number. */
  findOverlap(prefix: Prefix): { name: string; subnet: string; last: bigint } | undefined;
  /** Why a peer that the cluster announces is rejected; undefined for any other name. */
  refusalOf(name: string): string | undefined;
}

/**
 * `all`: compare every object. `paths`: a route or address of the host changed, so reconcile only peers whose path
 * changed. A set of names: reconcile these peers.
 */
export type ReconcileScope = 'all' | 'paths' | ReadonlySet<string>;

/** Implemented by `openPeers`. Changing calls are serialized. */
export interface Peers extends KnownPeers {
  /**
   * Stores a peer, creates its routes, and reconciles them until it is removed. On error nothing has changed: `invalid`
   * for bad values and unreachable addresses, `conflict` for overlaps and for an existing peer.
   */
  add(request: PeerRequest): Promise<PeerState>;
  /** `not-found`: `peer X not found`; `conflict` for a peer from the configuration. */
  remove(name: string): Promise<void>;
  /** What `add` and `remove` would do; throw the same errors. */
  planAdd(request: PeerRequest): Promise<KernelOperation[]>;
  planRemove(name: string): Promise<KernelOperation[]>;
  /** Replaces the set of peers of origin `cluster`; see `Networks.setClusterPeers`. */
  setClusterPeers(requests: readonly PeerRequest[]): Promise<RefusedPeer[]>;
  /** All peers; rejected ones of the cluster come last. */
  states(): Promise<PeerState[]>;
  /** Throws `not-found`. */
  state(name: string): Promise<PeerState>;

  /** The desired kernel objects of all peers that have a path, and of the tunnels. */
  plan(): KernelObject[];
  /** The objects of a peer, with the tunnel if it may use that. Throws `not-found`, and `conflict` without a path. */
  explain(name: string): KernelPlan;
  /** Kernel objects marked as a peer's, desired or not; the interfaces of tunnels aside. */
  findObjects(): Promise<KernelObject[]>;
  /** The cluster's peers are not known yet, so that no kernel object of a peer counts as orphaned. */
  readonly awaitsCluster: boolean;

  /** Upper limit for the MTU of container interfaces, so that their packets fit into the tunnel. */
  readonly mtuLimit: number | undefined;
  /** To be called before the first `reconcile`: keeps the MTU limit of a former process until the peers are known. */
  adopt(): Promise<void>;
  /** Compares and repairs. An unreachable peer is logged and tried again after the kernel's next event. */
  reconcile(scope: ReconcileScope): Promise<KernelOperation[]>;
  /**
   * The peers that may have drifted by a change in the kernel, or undefined. To be called for each event, except those of
   * the host's own bridges and of its containers' interfaces. Drops cached observations that the event makes stale.
   */
  affectedBy(event: KernelEvent): ReconcileScope | undefined;

  /** Starts to sample the packet counters, for `PeerState.lastSeen`. */
  startSampling(): void;
  /** Leaves the kernel unchanged. */
  close(): Promise<void>;
}

/** One of this host's own networks, or one family of a network with both. */
export interface OwnNetwork {
  networkName: string;
  /** Its bridge. */
  link: string;
  subnet: string;
  /** The subnet of which `subnet` is this host's part; absent for a network of this host alone. */
  wholeSubnet?: string;
  /** This host's address in the subnet. */
  gateway?: string;
  /** Containers of peers reach it. Default false. */
  acceptsPeers?: boolean;
}

/** A changed `Peers.mtuLimit`, and where it is applied: a dry run has a kernel that records, and a silent logger. */
export interface MtuChange {
  readonly kernel: Kernel;
  readonly logger: Logger;
  mtuLimit: number | undefined;
}

/** The host that the peers are added to. All functions are synchronous unless they return a promise. */
export interface OwnHost {
  /** The same array until a network changes. The gateway of the first network of each family is the source address of the host's own packets to containers of peers. */
  networks(): readonly OwnNetwork[];
  /** The kernel has IPv6. */
  hasIpv6(): boolean;
  /** `--tunnel-firewall=false`: packets between the tunnel over IPv4 and networks that accept peers bypass the firewall. */
  readonly openTunnel: boolean;
  /** Called when `Peers.mtuLimit` has changed: applies it to all bridges and containers, including running ones. */
  mtuChanged(change: MtuChange): Promise<KernelOperation[]>;
  /** A peer that the cluster announces is rejected; once per reason. */
  refused(name: string, problem: string): void;
  /** Called before objects are deleted on purpose, so that a watcher does not report another program's change. */
  ownDeletion(): void;
}

/** Persistence of the peers of origin `request`. All calls are synchronous and durable. */
export interface PeerStore {
  peers(): PeerRecord[];
  putPeer(record: PeerRecord): void;
  deletePeer(name: string): void;
}
