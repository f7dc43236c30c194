/**
 * What the kernel box offers to the boxes above: this interface is implemented once on Linux
 * (`openKernel()` in `kernel.ts`) and once in memory for tests (`testkit`).
 *
 * All errors are `KernelError` (errno kept) or `NetyardError('invalid', …)`.
 */
import type { Logger } from '@netyard/core';
import type { KernelObject, KernelOperation, KernelPlan, NftFamily, NftTableObject, Observation } from './desired.ts';
import type { PacketCapture, PacketCaptureRequest } from './packet-capture.ts';

export interface ApplyOptions {
  /** Take the difference and return it, change nothing. */
  dryRun?: boolean;
}

export interface ApplyReport {
  /** What was done (or would be, on a dry run), in order. Empty when all was as wanted. */
  operations: KernelOperation[];
}

/** An address on a link, as `ip address show` has it. */
export interface ObservedAddress {
  link: string;
  linkIndex: number;
  prefix: string;
  scope: number;
}

export interface ObservedRoute {
  to: string;
  via?: string;
  link?: string;
  source?: string;
  metric?: number;
  table: number;
  protocol: number;
}

export interface ObservedLink {
  index: number;
  name: string;
  kind?: string;
  mac?: string;
  mtu: number;
  up: boolean;
  running: boolean;
  masterIndex?: number;
  /** For veth: index of the peer, in namespace `peerNsId` when that is another one. */
  peerIndex?: number;
  peerNsId?: number;
  owner?: string;
}

/** A permanent entry of the neighbour table: which MAC an address has, put there by somebody. */
export interface ObservedNeighbour {
  address: string;
  mac: string;
}

/** A forwarding entry of a VXLAN link: behind which host a MAC is. */
export interface ObservedFdbEntry {
  mac: string;
  remote: string;
}

/** An element of a set or map, in the syntax of `NftElementObject`. */
export interface ObservedElement {
  key: string;
  value?: string;
  comment?: string;
  /** Packets and bytes that matched since it was made, in sets that count. */
  packets?: bigint;
  bytes?: bigint;
}

/** A rule as `nft -s list` prints it, without its comment. */
export interface ObservedNftRule {
  text: string;
  handle?: number;
  comment?: string;
}

/** A chain of any table; `hook` and `policy` only of base chains. */
export interface ObservedNftChain {
  family: NftFamily;
  table: string;
  chain: string;
  hook?: string;
  policy?: 'accept' | 'drop';
  rules: ObservedNftRule[];
}

/** Connections by where their first packet went. */
export interface ConnectionMatch {
  protocol: PortProtocol;
  /** Destination port of the original direction: the published one. */
  port: number;
  /** Destination address of the original direction; `0.0.0.0` and `::` are all of their family. */
  address: string;
}

/** Counters of one link since it was made; bigint, 64 bit (struct rtnl_link_stats64). */
export interface LinkStatistics {
  rxBytes: bigint;
  rxPackets: bigint;
  rxErrors: bigint;
  rxDropped: bigint;
  txBytes: bigint;
  txPackets: bigint;
  txErrors: bigint;
  txDropped: bigint;
}

export type PortProtocol = 'tcp' | 'udp' | 'sctp';

/** A host port held by a bound, never listening socket, so that nobody else can take it. */
export interface PortReservation {
  protocol: PortProtocol;
  address: string;
  port: number;
  close(): void;
}

/** Tables of `Kernel.holdTables`. */
export interface HeldTables {
  close(): void;
}

export type KernelEvent =
  | {
      type: 'link';
      action: 'new' | 'del';
      name: string;
      index: number;
      /** As the link is after the change; a name changes with the index kept. */
      owner?: string;
      up?: boolean;
      mtu?: number;
      masterIndex?: number;
    }
  /** IPv4 settings below net.ipv4.conf: of one link, or of all (-1) or of new ones (-2). */
  | { type: 'netconf'; linkIndex: number; forwarding?: boolean }
  | { type: 'address'; action: 'new' | 'del'; prefix: string; linkIndex: number }
  | { type: 'route'; action: 'new' | 'del'; to: string; table?: number; protocol?: number }
  /** An entry of the neighbour table; `permanent` ones were put there by somebody. */
  | { type: 'neighbour'; action: 'new' | 'del'; linkIndex: number; address: string; mac?: string; permanent: boolean }
  /** A forwarding entry of a VXLAN link. */
  | { type: 'fdb'; action: 'new' | 'del'; linkIndex: number; mac: string; remote?: string }
  | {
      type: 'nft';
      action: 'new' | 'del';
      what: 'table' | 'chain' | 'rule' | 'set' | 'element';
      table: string;
      /** Of an element: its set, and its key as the kernel has it (of an interval its first), parts padded to 4 bytes. */
      set?: string;
      keys?: readonly Uint8Array[];
    }
  /** Events were lost (the socket's buffer ran over): what you know may be out of date, observe again. */
  | { type: 'resync' };

/** Namespaces of `Kernel.watchNamespaces`; each costs one descriptor. */
export interface NamespaceWatch {
  /**
   * Reports the namespace at `path` from now on, once. Its socket keeps the namespace alive until `remove`.
   * Throws KernelError ENOENT, EMFILE.
   */
  add(path: string): void;
  remove(path: string): void;
  /** After a report, and before the namespace is observed: reports its next change. */
  rearm(path: string): void;
  close(): void;
}

export interface KernelOptions {
  /** KernelObserver of what goes on beneath, such as a repeated dump. Silent unless given. */
  logger?: Logger;
}

export interface Kernel {
  observe(objects: readonly KernelObject[]): Promise<Observation[]>;
  /** Makes true what the plan says; on a failure undoes what it did, then throws. Applying twice does nothing. */
  apply(plan: KernelPlan, options?: ApplyOptions): Promise<ApplyReport>;
  /**
   * Takes the plan's objects away, last first. What is already gone is fine; goes on after a failure and throws one
   * error at the end that names all of them.
   */
  remove(plan: KernelPlan, options?: ApplyOptions): Promise<ApplyReport>;

  listLinks(ns?: string): Promise<ObservedLink[]>;
  listAddresses(ns?: string): Promise<ObservedAddress[]>;
  listRoutes(ns?: string): Promise<ObservedRoute[]>;
  /** Permanent ones of one link; none without the link. */
  listNeighbours(link: string, ns?: string): Promise<ObservedNeighbour[]>;
  /** Of a VXLAN link; none without the link. */
  listFdb(link: string, ns?: string): Promise<ObservedFdbEntry[]>;
  linkStatistics(link: string, ns?: string): Promise<LinkStatistics>;
  readSysctl(key: string, ns?: string): Promise<string>;
  /** Elements of one of our sets or maps, in the syntax of `NftElementObject`. */
  listNftElements(table: { ns?: string; family: NftFamily; table: string; set: string }): Promise<ObservedElement[]>;

  /** Base chains that IPv4 packets pass at a hook, of all tables in this process's namespace, with their rules. */
  listNftBaseChains(hook: 'forward'): Promise<ObservedNftChain[]>;
  /** Undefined without the chain. */
  listNftChain(name: { family: NftFamily; table: string; chain: string }): Promise<ObservedNftChain | undefined>;
  /**
   * Makes tables in this process's namespace that no other program can change, delete or flush, until `close` of what
   * is returned or the end of the process: then the kernel takes them away. They are no part of any plan. Throws
   * KernelError EPERM when another process holds one of them.
   */
  holdTables(tables: readonly NftTableObject[]): Promise<HeldTables>;
  /** Whether the kernel knows such tables (Linux 5.12). */
  canHoldTables(): Promise<boolean>;

  /** Binds without listening; throws KernelError EADDRINUSE / EADDRNOTAVAIL / EACCES. */
  reservePort(protocol: PortProtocol, address: string, port: number): PortReservation;
  /**
   * Forgets conntrack entries towards published ports: their next packets take the new way. Many cost as one.
   * `untranslated`: only those whose destination no rule has changed.
   */
  forgetConnections(matches: readonly ConnectionMatch[], options?: { untranslated?: boolean }): Promise<void>;
  /** Forgets all connections that a subnet has a part in: their next packets are judged anew. Many cost as one. */
  forgetConnectionsOf(subnets: string | readonly string[]): Promise<void>;

  /** Changes made by anybody in this process's namespace. Ends with the signal. */
  watch(signal: AbortSignal): AsyncIterable<KernelEvent>;
  /**
   * Reports namespaces whose links, addresses, routes or netconf settings somebody changed, this process included. What
   * changed is not reported, and after a report there is none until `rearm`: however often a namespace changes, it costs
   * no more than the caller observes it.
   */
  watchNamespaces(report: (path: string) => void): NamespaceWatch;
  /**
   * Packets of one link, from the moment this resolves on. Throws `invalid` with the filter compiler's own words,
   * KernelError ENODEV, `unavailable` without libpcap. `close` of the kernel ends captures, too.
   */
  capture(request: PacketCaptureRequest): Promise<PacketCapture>;
  close(): void;
}
