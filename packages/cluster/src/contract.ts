/**
 * The public interface of the cluster package: this host's membership in a set of hosts stored in etcd. It handles
 * hosts, their subnets and published names as plain data; it sets up no routes (network does) and answers no DNS
 * queries (dns does).
 *
 * Keys below `/netyard/CLUSTER/`: `config`, `subnets/ADDRESS-LENGTH`, `hosts/NAME`, `names/HOST/CONTAINER`, and those of
 * networks of the cluster: `networks/NAME`, `parts/NETWORK-ID/ADDRESS-LENGTH`, `endpoints/NETWORK-ID/HOST/CONTAINER-ID`.
 * Keys of a live host are attached to that host's lease; its subnet and its parts of networks are reserved for longer, by a
 * separate lease. A network exists until it is removed.
 */

/** A host as it announces itself. Not validated against this host's view: network rejects conflicting hosts. */
export interface ClusterHost {
  /** Unique in the cluster. Default: the hostname; `--cluster-host-name` overrides it. */
  name: string;
  /** Address of the uplink, without prefix length; IPv4 or IPv6. */
  address: string;
  /** Subnets of its containers. */
  subnets: string[];
  /** Start of its uninterrupted membership, in nanoseconds since the Unix epoch. */
  since: bigint;
  self: boolean;
  /** URL of its daemon's API, `https://ADDRESS:PORT` at its own address; absent when it announces none. */
  api?: string;
  /** An announced URL that was rejected. */
  refusedApi?: string;
}

/** A container whose name other hosts resolve. */
export interface PublishedName {
  host: string;
  /** Name of the container, without the leading slash. */
  name: string;
  containerId: string;
  /** IPv4, without prefix length. */
  address: string;
}

/** Divided into parts, one for each host. */
export interface DividedSubnet {
  subnet: string;
  /** Prefix length of a part. */
  partSize: number;
}

/** A network that exists on every host of the cluster, with its IPv4 subnet. */
export interface ClusterNetwork extends DividedSubnet {
  id: string;
  name: string;
  /** Nanoseconds since the Unix epoch. */
  created: bigint;
  /** Absent in a network without IPv6. A host has the part of the same number as in the IPv4 subnet. */
  ipv6?: DividedSubnet;
  internal: boolean;
  attachable: boolean;
  options: Record<string, string>;
  labels: Record<string, string>;
}

export interface KnownNetwork extends ClusterNetwork {
  /** This host's part; absent until it is claimed. */
  part?: string;
  ipv6?: DividedSubnet & { part?: string };
  /** The parts of other hosts, members or not: of the IPv4 subnet, and of the IPv6 subnet if there is one. */
  parts: readonly { host: string; subnets: string[] }[];
}

export interface NewNetwork extends Omit<ClusterNetwork, 'subnet' | 'partSize' | 'ipv6'> {
  /** Default: a free one. */
  subnet?: string;
  partSize?: number;
  /** Absent for a network without IPv6. Default of `subnet`: a free one of unique local addresses. */
  ipv6?: { subnet?: string };
  /** Whether a subnet is in use on this host. */
  isTaken: (subnet: string) => boolean;
}

/** A container of another host on a network of the cluster. */
export interface ClusterEndpoint {
  networkId: string;
  host: string;
  containerId: string;
  /** Name of the container, without the leading slash. */
  name: string;
  /** IPv4, without prefix length. */
  address: string;
  /** Absent without IPv6. */
  ipv6Address?: string;
  /** The names that stand for it on the network. */
  names: readonly string[];
  /** Its compose project. */
  project?: string;
}

/** A subnet reserved for a host that is not a member at the moment. */
export interface Reservation {
  subnet: string;
  host: string;
  /** The host's last address. */
  address: string;
}

/** A key in etcd that is ignored because its value is malformed. */
export interface ClusterProblem {
  /** `hosts/server2` */
  key: string;
  problem: string;
}

export type ClusterChange =
  | { type: 'host'; action: 'join' | 'update' | 'leave'; host: ClusterHost }
  | { type: 'name'; action: 'set' | 'remove'; name: PublishedName }
  /** A network was created or removed, or a host has got or lost its part. */
  | { type: 'network'; networkId: string }
  /** A container of another host has got or lost its names on a network. */
  | { type: 'endpoint'; networkId: string }
  /** A problem of this host's own membership: see `ClusterView.problem`. */
  | { type: 'membership'; problem: string }
  /** A malformed key appeared, or disappeared (`problem` is empty). */
  | { type: 'problem'; key: string; problem: string }
  /**
   * etcd became unreachable (`unreachable`; `reason` says why) or reachable; before `connected`, all missed changes have been
   * reported. `left`: this host has left by request.
   */
  | { type: 'connection'; state: 'connected' | 'unreachable' | 'left'; reason?: string };

export interface ClusterView {
  /** The name in `--cluster`, which separates clusters on the same etcd. */
  name: string;
  hostName: string;
  /** This host's own subnet, `192.168.12.0/24`. */
  subnet: string;
  /** The pool of host subnets, and the prefix length of one. */
  pool: { subnet: string; subnetSize: number };
  connection: 'connected' | 'unreachable' | 'left';
  /** Why etcd is unreachable; empty when connected. */
  reason: string;
  /**
   * A problem of this host's own membership, such as a subnet that belongs to another host now; empty when there is
   * none.
   */
  problem: string;
  endpoints: string[];
}

export interface Cluster {
  view(): ClusterView;
  /** The known hosts including this one, also while etcd is unreachable. */
  hosts(): readonly ClusterHost[];
  /** Published names of all hosts, including this one. */
  names(): readonly PublishedName[];
  reservations(): readonly Reservation[];
  problems(): readonly ClusterProblem[];
  /**
   * Replaces the names that this host publishes; writes the differences now, or when etcd is reachable again. Names of
   * an earlier run stay until the first call.
   */
  publish(names: readonly Omit<PublishedName, 'host'>[]): void;
  changes(listener: (change: ClusterChange) => void): () => void;
  /**
   * The known networks of the cluster. While etcd is unreachable the list may lack networks that exist, so that a missing
   * one is not known to be removed.
   */
  networks(): readonly KnownNetwork[];
  /**
   * Creates a network on all hosts; each of them, this one included, then claims its part. Throws `conflict` when one of
   * the name exists, `forbidden` for a subnet that overlaps with another network's or with the hosts' own subnets, `invalid`
   * when no subnet is free, `unavailable` when etcd is unreachable.
   */
  createNetwork(request: NewNetwork): Promise<ClusterNetwork>;
  /**
   * Removes a network on all hosts. Throws `not-found`, `forbidden` while containers of other hosts are on it,
   * `unavailable`. The caller checks this host's own containers.
   */
  removeNetwork(id: string): Promise<void>;
  /** Containers of other hosts on networks of the cluster. */
  endpoints(): readonly ClusterEndpoint[];
  /** As `publish`, for this host's containers on networks of the cluster. */
  publishEndpoints(endpoints: readonly Omit<ClusterEndpoint, 'host'>[]): void;
  /**
   * Call after changes of the host's interfaces or addresses: reconnects immediately when the connection's local
   * address no longer exists.
   */
  networkChanged(): void;
  /** Releases the subnet and deletes the host's keys. The daemon keeps using its subnet until it restarts. */
  leave(): Promise<void>;
  /**
   * Releases the subnets reserved for a host that is gone, and returns them. Throws `conflict` when the host is a
   * member, `not-found` when nothing is reserved for it.
   */
  release(host: string): Promise<string[]>;
  /** Stops watching. The keys stay until their lease expires, so that a restart is not a leave. */
  close(): Promise<void>;
}
