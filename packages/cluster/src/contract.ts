/**
 * What the cluster box offers: this host's membership in a set of hosts that etcd keeps. It knows hosts, their subnets
 * and published names as plain data; it makes no routes (network does) and answers no queries (names does).
 *
 * Keys, below `/netyard/CLUSTER/`: `config`, `subnets/ADDRESS-LENGTH`, `hosts/NAME`, `names/HOST/CONTAINER`. Whatever
 * stands for a living host hangs on that host's lease.
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

export type ClusterChange =
  | { type: 'host'; action: 'join' | 'update' | 'leave'; host: ClusterHost }
  | { type: 'name'; action: 'set' | 'remove'; name: PublishedName }
  /** etcd went away (`reason` says how) or came back; after `connected` all that was missed has been told. */
  | { type: 'connection'; state: 'connected' | 'away'; reason?: string };

export interface ClusterView {
  /** Of `--cluster`; apart from others on the same etcd. */
  name: string;
  hostName: string;
  /** This host's own, `192.168.12.0/24`. */
  subnet: string;
  connection: 'connected' | 'away';
  endpoints: string[];
}

export interface Cluster {
  view(): ClusterView;
  /** What is known now, also while etcd is away; own host included. */
  hosts(): readonly ClusterHost[];
  /** Of all hosts, own included. */
  names(): readonly PublishedName[];
  /**
   * Makes the names that this host publishes exactly these; written now, or when etcd is back. Only the differences
   * travel.
   */
  publish(names: readonly Omit<PublishedName, 'host'>[]): void;
  changes(listener: (change: ClusterChange) => void): () => void;
  /** Gives the subnet back and takes the host's keys away. The daemon keeps what it has until its restart. */
  leave(): Promise<void>;
  /** Stops watching; keys stay until their lease ends, so that a restart is no leave. */
  close(): Promise<void>;
}
