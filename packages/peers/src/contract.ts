/** Peers: other hosts, the paths to them, the names of their containers, and the ports for looking these up. */
import type { RemoteName } from '@netyard/dns';

export type { RemoteName } from '@netyard/dns';

/** How a peer is reached: by a route via its address on a shared link, through a tunnel, or whichever is possible. */
export type PeerVia = 'auto' | 'route' | 'vxlan';

export interface PeerRequest {
  name: string;
  /** Address of the peer's host, without prefix length. */
  address: string;
  /** Subnets of its containers, without host bits. */
  subnets: string[];
  /** Default `auto`. */
  via?: PeerVia;
  /** Used for links to `HOST/NAME` without a cluster, and for captures. */
  api?: PeerApi;
}

/** Another host whose containers exchange packets with this host's containers, without NAT. */
export interface PeerRecord {
  name: string;
  address: string;
  subnets: string[];
  via: PeerVia;
  api?: PeerApi;
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
  /** Calls the listener whenever the result of `names` or `hosts` may have changed. */
  changes(listener: () => void): () => void;
}

/** Endpoint and credentials of a peer's API: an `https://` address and absolute paths of PEM files. */
export interface PeerApi {
  url: string;
  ca: string;
  certificate: string;
  key: string;
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
