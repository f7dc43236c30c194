/**
 * The public interface of the cluster package: this host's membership in a set of hosts stored in etcd. It handles
 * hosts, their subnets and published names as plain data; it sets up no routes (network does) and answers no DNS
 * queries (dns does).
 *
 * Keys below `/netyard/CLUSTER/`: `config`, `subnets/ADDRESS-LENGTH`, `hosts/NAME`, `names/HOST/CONTAINER`. Keys of a
 * live host are attached to that host's lease; a subnet is reserved for longer, by a separate lease.
 */

/** A host as it announces itself. Not validated against this host's view: network rejects conflicting hosts. */
export interface ClusterHost {
  /** Unique in the cluster. Default: the hostname; `--cluster-host-name` overrides it. */
  name: string;
  /** Address of the uplink, without prefix length. */
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
