/** Containers of other hosts: their names, and the ports for looking these up. */
import type { RemoteName } from '@netyard/dns';
import type { NewClusterNetwork } from '@netyard/network';
import type { PeerApi } from '@netyard/peers';

export type { RemoteName } from '@netyard/dns';

/** The target of a link to `HOST/NAME` as requested, and its current or last known container and address. */
export interface RemoteTarget {
  host: string;
  name: string;
  /** Source of the lookup: the cluster's names, or the API of a peer that was added with one. */
  source: 'cluster' | 'peer';
  at: RemoteName;
}

/** Published names of the cluster. Implemented by the daemon on its cluster membership. */
export interface RemoteDirectory {
  /** Name of this host in the cluster. */
  readonly hostName: string;
  /** Names of all known hosts, including this one. */
  hosts(): readonly string[];
  /** Published names of all hosts, including this one; the last known ones while etcd is unreachable. */
  names(): readonly RemoteName[];
  /** Replaces the names that this host publishes. */
  publish(names: readonly Omit<RemoteName, 'host'>[]): void;
  /** Containers of other hosts on networks of the cluster; the last known ones while etcd is unreachable. */
  endpoints(): readonly RemoteEndpoint[];
  /** Replaces this host's containers on networks of the cluster. */
  publishEndpoints(endpoints: readonly Omit<RemoteEndpoint, 'host'>[]): void;
  /** Calls the listener whenever the result of `names`, `hosts` or `endpoints` may have changed. */
  changes(listener: () => void): () => void;
}

/** A container of another host on a network of the cluster. */
export interface RemoteEndpoint {
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

/** The networks of the cluster, for requests of this host. Implemented by the daemon on its cluster membership. */
export interface ClusterNetworks {
  /** Creates it on all hosts, and resolves when this one has it: returns its id. On error no host has it. */
  create(request: NewClusterNetwork): Promise<string>;
  /** Removes it on all hosts, and resolves when this one does not have it any more. */
  remove(id: string): Promise<void>;
}

/** Opens clients of the APIs of peers. Implemented by the daemon on the client package. */
export interface PeerApis {
  /** Throws `invalid` for missing files, files that are not PEM, or a key that users other than root can read. */
  check(api: PeerApi): void;
  open(peer: string, api: PeerApi): PeerContainers;
}

/** Looks up containers of one peer over its API. */
export interface PeerContainers {
  /** The argument of `open`. */
  readonly api: PeerApi;
  /**
   * By name or id: undefined when it does not exist; `address` is '' while it does not run on the default bridge. Throws
   * `unavailable` or `unauthorized` when the API does not respond or rejects the credentials.
   */
  find(ref: string): Promise<RemoteName | undefined>;
  /** Calls the listener whenever a container may have changed, and when the API is reachable again. */
  changes(listener: () => void): () => void;
  close(): void;
}
