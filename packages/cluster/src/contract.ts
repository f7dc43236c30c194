/**
 * What the cluster box offers: this host's membership in a set of hosts that etcd keeps. It knows hosts, their subnets
 * and published names as plain data; it makes no routes (network does) and answers no queries (names does).
 *
 * Keys, below `/netyard/CLUSTER/`: `config`, `subnets/ADDRESS-LENGTH`, `hosts/NAME`, `names/HOST/CONTAINER`. Whatever
 * stands for a living host hangs on that host's lease; a subnet is reserved for longer, on a lease of its own.
 */

/** Another host, or this one, as it announces itself. Not checked against this host's view: network refuses liars. */
export interface ClusterHost {
  /** Unique in the cluster; the host's hostname unless `--cluster-host-name` says otherwise. */
  name: string;
  /** Of the uplink, without prefix length. */
  address: string;
  /** Of its containers. */
  subnets: string[];
  /** Nanoseconds since 1970: since when it is a member without interruption. */
  since: bigint;
  self: boolean;
  /** Where its daemon's API is to be asked, `https://ADDRESS:PORT` at its own address; absent when it announces none. */
  api?: string;
  /** What it announces instead of one, and is not believed. */
  refusedApi?: string;
}

/** A container whose name other hosts resolve. */
export interface PublishedName {
  host: string;
  /** Of the container, without the leading slash. */
  name: string;
  containerId: string;
  /** IPv4, without prefix length. */
  address: string;
}

/** A subnet that is kept for a host which is not there (any more). */
export interface Reservation {
  subnet: string;
  host: string;
  /** The host's last one. */
  address: string;
}

/** Something in etcd that is skipped because it is not well-formed. */
export interface ClusterProblem {
  /** `hosts/server2` */
  key: string;
  problem: string;
}

export type ClusterChange =
  | { type: 'host'; action: 'join' | 'update' | 'leave'; host: ClusterHost }
  | { type: 'name'; action: 'set' | 'remove'; name: PublishedName }
  /** What is wrong with this host's own membership: see `ClusterView.problem`. */
  | { type: 'membership'; problem: string }
  /** Something malformed came (or went: `problem` is empty). */
  | { type: 'problem'; key: string; problem: string }
  /**
   * etcd went away (`reason` says how) or came back; after `connected` all that was missed has been told. `left`: this
   * host has left by request.
   */
  | { type: 'connection'; state: 'connected' | 'away' | 'left'; reason?: string };

export interface ClusterView {
  /** Of `--cluster`; apart from others on the same etcd. */
  name: string;
  hostName: string;
  /** This host's own, `192.168.12.0/24`. */
  subnet: string;
  /** The pool that hosts' subnets are taken from, and one's prefix length. */
  pool: { subnet: string; subnetSize: number };
  connection: 'connected' | 'away' | 'left';
  /** Why it is away; empty when it is not. */
  reason: string;
  /** What is wrong with this host's own membership, such as a subnet that is another's now; empty when all is well. */
  problem: string;
  endpoints: string[];
}

export interface Cluster {
  view(): ClusterView;
  /** What is known now, also while etcd is away; own host included. */
  hosts(): readonly ClusterHost[];
  /** Of all hosts, own included. */
  names(): readonly PublishedName[];
  reservations(): readonly Reservation[];
  problems(): readonly ClusterProblem[];
  /**
   * Makes the names that this host publishes exactly these; written now, or when etcd is back. Only the differences
   * travel. Those of an earlier run stay until the first call.
   */
  publish(names: readonly Omit<PublishedName, 'host'>[]): void;
  changes(listener: (change: ClusterChange) => void): () => void;
  /** The host's links or addresses have changed: a connection from an address that is gone is opened anew at once. */
  networkChanged(): void;
  /** Gives the subnet back and takes the host's keys away. The daemon keeps what it has until its restart. */
  leave(): Promise<void>;
  /**
   * Gives back the subnets that are kept for a host which is gone; returns them. `conflict` when it is there,
   * `not-found` when nothing is kept for it.
   */
  release(host: string): Promise<string[]>;
  /** Stops watching; keys stay until their lease ends, so that a restart is no leave. */
  close(): Promise<void>;
}
