/**
 * The public interface of the kernel package. It has two implementations: Linux (`openKernel()` in `kernel.ts`) and an
 * in-memory one for tests (`testkit`).
 *
 * All errors are `KernelError` (with its errno) or `NetyardError('invalid', …)`.
 */
import type { Logger } from '@netyard/core';
import type {
  KernelObject,
  KernelOperation,
  KernelPlan,
  NftElementObject,
  NftFamily,
  NftObjectKind,
  NftTableObject,
  Observation,
} from './desired.ts';
import type { NetworkChange } from './network-change.ts';
import type { PacketCapture, PacketCaptureRequest } from './packet-capture.ts';

export interface ApplyOptions {
  /**
   * Names of new bridges and veth pairs of the plan, outside of namespaces: they are not observed, neither under these
   * names nor under others, for which all interfaces are listed. One that exists makes the plan fail (EEXIST).
   */
  newLinks?: readonly string[];
  /** Compute and return the operations without executing them. */
  dryRun?: boolean;
}

export interface ApplyReport {
  /**
   * Executed operations (planned ones on a dry run), in order. Empty when the kernel was already in the desired state.
   */
  operations: KernelOperation[];
}

/** An address on a link, as `ip address show` has it. */
export interface ObservedAddress {
  link: string;
  linkIndex: number;
  prefix: string;
  scope: number;
  /** An IPv6 address that is temporary or deprecated, or whose uniqueness is not proven. */
  transient?: true;
}

export interface ObservedRoute {
  family: 4 | 6;
  /** `default`, or a prefix. */
  to: string;
  via?: string;
  link?: string;
  source?: string;
  metric?: number;
  /** 254 is main, 255 local. */
  table: number;
  /** Who added it: 2 kernel, 3 boot, … (rtnetlink(7), RTPROT_). */
  protocol: number;
}

export interface ObservedLink {
  index: number;
  name: string;
  /** IFLA_INFO_KIND: `veth`, `bridge`, `vxlan`, `macvlan`, …; undefined for physical and loopback links. */
  kind?: string;
  mac?: string;
  mtu: number;
  /** IFF_UP. */
  up: boolean;
  /** Operational: carrier and not dormant (IFF_RUNNING). */
  running: boolean;
  /** Index of its bridge. */
  masterIndex?: number;
  /** For veth: index of the peer; `peerNsId` is set when the peer is in another namespace. */
  peerIndex?: number;
  peerNsId?: number;
  /** IFLA_IFALIAS. */
  owner?: string;
}

/** A permanent (configured, not learned) entry of the neighbour table. */
export interface ObservedNeighbour {
  address: string;
  mac: string;
}

/** An address for which the host answers on a link. */
export interface ObservedNeighbourProxy {
  link: string;
  address: string;
  protocol?: number;
}

/** A forwarding entry of a VXLAN link: the remote host that has a MAC address. */
export interface ObservedFdbEntry {
  mac: string;
  remote: string;
}

/** An element of a set or map, in the syntax of `NftElementObject`. */
export interface ObservedElement {
  key: string;
  value?: string;
  comment?: string;
  /** Packets and bytes that matched since the element was created, in sets with counters. */
  packets?: bigint;
  bytes?: bigint;
}

/** A rule as `nft -s list` prints it, without its comment. */
export interface ObservedNftRule {
  text: string;
  handle?: number;
  /** nft's; where chains are listed by name or hook, also that of iptables (`-m comment`). */
  comment?: string;
}

/** A chain of any table; only base chains have `hook` and `policy`. */
export interface ObservedNftChain {
  family: NftFamily;
  table: string;
  chain: string;
  hook?: string;
  policy?: 'accept' | 'drop';
  rules: ObservedNftRule[];
}

/** Selects connections by the destination of their first packet. */
export interface ConnectionMatch {
  protocol: PortProtocol;
  /** Destination port in the original direction: the published port. */
  port: number;
  /** Destination address in the original direction; `0.0.0.0` and `::` match all addresses of their family. */
  address: string;
}

/** Counters of one link since its creation; 64 bits (struct rtnl_link_stats64). */
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

/** A host port reserved by a bound socket that never listens, so that no other program can bind it. */
export interface PortReservation {
  protocol: PortProtocol;
  address: string;
  port: number;
  /**
   * Packets to the port that no rule translates are answered from now on: TCP connections and UDP datagrams are passed on
   * to the target, by a thread of this process. A further call changes the target. The port is free when `close` returns;
   * open connections end then. Equivalent to `socat TCP6-LISTEN:PORT,fork TCP:ADDRESS:PORT`. Not for sctp.
   */
  relay(target: RelayTarget): void;
  close(): void;
}

/** Of either address family. */
export interface RelayTarget {
  address: string;
  port: number;
  /** Prefix of the clients that may connect. Default: all. */
  clients?: string;
}

/** Tables created by `Kernel.holdTables`. */
export interface HeldTables {
  /** Replaces all of them, with these elements, in one transaction. On failure the former ones remain. */
  replace(tables: readonly NftTableObject[], elements: readonly NftElementObject[]): Promise<void>;
  /** Adds and deletes elements in one transaction, at a cost that does not depend on the others. */
  change(added: readonly NftElementObject[], deleted: readonly NftElementObject[]): Promise<void>;
  close(): void;
}

export type KernelEvent =
  | {
      type: 'link';
      action: 'new' | 'del';
      name: string;
      index: number;
      /** State of the link after the change. A renamed link keeps its index. */
      owner?: string;
      up?: boolean;
      mtu?: number;
      masterIndex?: number;
    }
  /** IPv4 settings below net.ipv4.conf: of one link, of `all` (-1) or of `default` (-2). */
  | { type: 'netconf'; linkIndex: number; forwarding?: boolean }
  | { type: 'address'; action: 'new' | 'del'; prefix: string; linkIndex: number }
  | { type: 'route'; action: 'new' | 'del'; to: string; table?: number; protocol?: number }
  /** An entry of the neighbour table; `permanent` entries are configured, not learned. */
  | { type: 'neighbour'; action: 'new' | 'del'; linkIndex: number; address: string; mac?: string; permanent: boolean }
  /** A forwarding entry of a VXLAN link. */
  | { type: 'fdb'; action: 'new' | 'del'; linkIndex: number; mac: string; remote?: string }
  | {
      type: 'nft';
      action: 'new' | 'del';
      what: NftObjectKind;
      /** Undefined for one that nft does not know. */
      family?: NftFamily;
      table: string;
      /**
       * For an element: its set, and its key in the kernel's encoding (of an interval its start), parts padded to 4
       * bytes.
       */
      set?: string;
      keys?: readonly Uint8Array[];
    }
  /** Events were lost (socket buffer overrun): previously observed state may be stale, observe again. */
  | { type: 'resync' };

/**
 * Namespaces watched by `Kernel.watchNamespaces`. Those that were added, changed or held last, up to
 * `KernelOptions.notificationSockets`, have a socket, and their changes are reported at once. The others are sampled in turn,
 * 64 a second.
 */
export interface NamespaceWatch {
  /**
   * Reports the next change of the namespace at `path`, once. A socket keeps the namespace alive until `remove`. Throws
   * KernelError ENOENT, EMFILE.
   */
  add(path: string): void;
  remove(path: string): void;
  /**
   * Gives the namespace a socket until the returned function is called: for one that is likely to change now. Without effect
   * on one that is not watched.
   */
  hold(path: string): () => void;
  /** Call after a report and before observing the namespace: enables the report of its next change. */
  rearm(path: string): void;
  close(): void;
}

export interface KernelOptions {
  /** Receives debug messages, such as repeated dumps. Default: silent. */
  logger?: Logger;
  /** Called after each `apply` that was no dry run, also a failed one, with its duration. */
  noteApply?: (seconds: number) => void;
  /** Namespaces of a `watchNamespaces` whose changes are reported at once. Default: 128. */
  notificationSockets?: number;
}

export interface AnnounceRequest {
  /** Path of the namespace; default: this process's. */
  ns?: string;
  link: string;
  /** Without prefix length. */
  addresses: readonly string[];
}

/** What became of an edit. */
export type FileEdit = 'done' | 'missing' | 'too long';

export interface Kernel {
  observe(objects: readonly KernelObject[]): Promise<Observation[]>;
  /** Brings the kernel into the plan's state. Rolls back and throws when an operation fails. Idempotent. */
  apply(plan: KernelPlan, options?: ApplyOptions): Promise<ApplyReport>;
  /**
   * Deletes the plan's objects in reverse order. Objects that do not exist are skipped. Continues after a failure and
   * throws one error at the end that lists all failures.
   */
  remove(plan: KernelPlan, options?: ApplyOptions): Promise<ApplyReport>;
  /**
   * Rewrites an existing text file of at most `limit` bytes in place, unless `edit` returns the same text. As `apply` of a
   * `FileObject` does, but for a content that depends on the present one: the file is opened and read once. Bytes that are
   * no UTF-8 are kept, as lone surrogates in the text.
   */
  editFile(path: string, limit: number, edit: (text: string) => string): Promise<FileEdit>;

  listLinks(ns?: string): Promise<ObservedLink[]>;
  listAddresses(ns?: string): Promise<ObservedAddress[]>;
  listRoutes(ns?: string): Promise<ObservedRoute[]>;
  /** Permanent entries of one link; empty when the link does not exist. */
  listNeighbours(link: string, ns?: string): Promise<ObservedNeighbour[]>;
  /** Of all links. */
  listNeighbourProxies(): Promise<ObservedNeighbourProxy[]>;
  /** Entries of a VXLAN link; empty when the link does not exist. */
  listFdb(link: string, ns?: string): Promise<ObservedFdbEntry[]>;
  linkStatistics(link: string, ns?: string): Promise<LinkStatistics>;
  /** Counters of all links of this process's namespace by index, in one request. */
  listLinkStatistics(): Promise<Map<number, LinkStatistics>>;
  /** Whether the kernel has links of this kind, such as `ipvlan`; loads the kind's module if there is one. */
  supportsLinkKind(kind: string): Promise<boolean>;
  readSysctl(key: string, ns?: string): Promise<string>;
  /** Elements of one of our own sets or maps, in the syntax of `NftElementObject`. */
  listNftElements(table: { ns?: string; family: NftFamily; table: string; set: string }): Promise<ObservedElement[]>;

  /** Base chains of these families at a hook, of all tables in this process's namespace, with their rules. */
  listNftBaseChains(hook: 'forward' | 'input', families: readonly NftFamily[]): Promise<ObservedNftChain[]>;
  /** Undefined when the chain does not exist. */
  listNftChain(name: { family: NftFamily; table: string; chain: string }): Promise<ObservedNftChain | undefined>;
  /**
   * Creates tables in this process's namespace that no other program can change, delete or flush (flag `owner`). The
   * kernel deletes them on `close` of the returned handle or when the process ends. They belong to no plan. Throws
   * KernelError EPERM when another process owns one of them.
   */
  holdTables(tables: readonly NftTableObject[], elements?: readonly NftElementObject[]): Promise<HeldTables>;
  /** Whether the kernel supports tables with an owner (Linux 5.12). */
  canHoldTables(): Promise<boolean>;

  /** Binds without listening; throws KernelError EADDRINUSE / EADDRNOTAVAIL / EACCES. */
  reservePort(protocol: PortProtocol, address: string, port: number): PortReservation;
  /**
   * Deletes conntrack entries of connections to published ports, so that their next packets are translated anew. One
   * pass over the table, however many matches.
   * `untranslated`: only entries without destination NAT.
   */
  flushConntrack(matches: readonly ConnectionMatch[], options?: { untranslated?: boolean }): Promise<void>;
  /**
   * Deletes the conntrack entries of all connections from or to the subnets, so that the firewall judges their next
   * packets anew. One pass over the table, however many subnets.
   */
  flushConntrackOf(subnets: string | readonly string[]): Promise<void>;

  /** Changes in this process's namespace, whichever program made them. Ends with the signal. */
  watch(signal: AbortSignal): AsyncIterable<KernelEvent>;
  /** The same with the processes that requested the changes; without neighbours and forwarding entries. */
  watchChanges(signal: AbortSignal): AsyncIterable<NetworkChange>;
  /**
   * Reports namespaces whose links, addresses, routes or netconf settings changed, whichever program made the change.
   * The report does not say what changed, and none follows until `rearm`: a namespace that changes constantly costs no
   * more than the caller's own observations.
   */
  watchNamespaces(report: (path: string) => void): NamespaceWatch;
  /**
   * Announces own addresses of an Ethernet link to its neighbours, once: an ARP announcement or an unsolicited neighbour
   * advertisement each (`arping -U -I LINK ADDRESS`, ndsend(8)). Throws KernelError, such as ENODEV.
   */
  announceAddresses(request: AnnounceRequest): void;
  /**
   * Packets of one link, captured from the moment this resolves. Throws `invalid` with the filter compiler's message,
   * KernelError ENODEV, `unavailable` without libpcap. `close` of the kernel ends its captures.
   */
  capture(request: PacketCaptureRequest): Promise<PacketCapture>;
  close(): void;
}
