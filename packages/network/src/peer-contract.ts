/** Other hosts, as the network box has them: peers and the ways to them, their containers' names, who is asked for both. */
import type { RemoteName } from '@netyard/dns';

export type { RemoteName } from '@netyard/dns';

/** How a peer is reached: by a plain route on a shared link, through a tunnel, or whichever is possible. */
export type PeerVia = 'auto' | 'route' | 'vxlan';

export interface PeerRequest {
  name: string;
  /** The other host's, without prefix length. */
  address: string;
  /** Of its containers, without host bits. */
  subnets: string[];
  /** Default `auto`. */
  via?: PeerVia;
  /** For links to `HOST/NAME` without a cluster, and for captures. */
  api?: PeerApi;
}

/** Another host whose containers reach ours and are reached by ours, with their own addresses. */
export interface PeerRecord {
  name: string;
  address: string;
  subnets: string[];
  via: PeerVia;
  api?: PeerApi;
  /** Nanoseconds since 1970. */
  created: bigint;
}

/** The way in use: found anew whenever links and addresses of the host change. */
export interface PeerPath {
  kind: 'route' | 'vxlan';
  /** The link by which packets to the peer's containers leave: the one that the peer is on, or the tunnel. */
  link: string;
  gateway: string;
  /** Address from which the host itself speaks to the peer's containers. */
  source?: string;
  /** The link towards the peer's host, and our address there, by which it knows us. */
  uplink: string;
  local: string;
  /** The peer is on the uplink itself, with no router between. */
  shared: boolean;
  /** The longest packet of a container that goes this way in one piece. */
  mtu: number;
}

export type PeerOrigin = 'request' | 'config' | 'cluster';

/** One of `setClusterPeers` that is not let in, and why. */
export interface RefusedPeer {
  name: string;
  problem: string;
}

export interface PeerState {
  record: PeerRecord;
  /** Written down by a request or in the daemon's configuration, or announced by the cluster. */
  origin: PeerOrigin;
  /** Absent while there is none. */
  path?: PeerPath;
  routes: { subnet: string; present: boolean }[];
  /** Packets of the peer's containers are let in. */
  open: boolean;
  /** Since the rules were made: packets of its containers that were let in to ours, and of ours to its. */
  packets: { in: bigint; out: bigint };
  /**
   * Nanoseconds since 1970: when it was last known to be there. That is, the last look that found more packets from its
   * containers than the look before. Looks are taken by themselves, and whenever somebody asks. Absent while not known.
   */
  lastSeen?: bigint;
  /** What is wrong, in words; empty when all is well on this side. */
  problems: string[];
}

/** What a link to `HOST/NAME` was asked for by, and where its target is, or was last. */
export interface RemoteTarget {
  host: string;
  name: string;
  /** Who tells of it: the cluster's names, or the API of a peer that was written down. */
  source: 'cluster' | 'peer';
  at: RemoteName;
}

/** Names across hosts, as a cluster keeps them. The daemon makes it from its membership. */
export interface RemoteDirectory {
  /** This host's own in the cluster. */
  readonly hostName: string;
  /** Of all hosts that are known now, own included. */
  hosts(): readonly string[];
  /** What is published now on all hosts, own included; the last that was known while the cluster's store is away. */
  names(): readonly RemoteName[];
  /** Makes what this host publishes exactly this. */
  publish(names: readonly Omit<RemoteName, 'host'>[]): void;
  /** KernelObserver whenever `names` or `hosts` may answer something else. */
  changes(listener: () => void): () => void;
}

/** Where a peer's API listens and what to show it: an `https://` address and absolute paths of PEM files. */
export interface PeerApi {
  url: string;
  ca: string;
  certificate: string;
  key: string;
}

/** Asks the APIs of peers that were written down with one. The daemon makes it from the client box. */
export interface PeerApis {
  /** Throws `invalid` for files that are not there, are no PEM, or a key that others than root can read. */
  check(api: PeerApi): void;
  open(peer: string, api: PeerApi): PeerContainers;
}

/** One peer's containers, asked for over its API. */
export interface PeerContainers {
  /** What it was opened with. */
  readonly api: PeerApi;
  /**
   * By name or id: undefined when there is none; `address` is '' while it does not run on the default bridge. Throws
   * `unavailable` or `unauthorized` when the API does not answer or does not let us in.
   */
  find(ref: string): Promise<RemoteName | undefined>;
  /** KernelObserver whenever a container may have come, gone or moved, and when the API answers again after it was away. */
  changes(listener: () => void): () => void;
  close(): void;
}
