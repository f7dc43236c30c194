/**
 * Types of packet tracing: one probe, and what each network namespace on its way reports about it.
 *
 * All of it works on any namespace by path (`ns`; default: the process's own). A probe is opened and bound first, so that
 * its port is known; then rule traces and taps are opened in all namespaces; then the probe is sent. Everything is
 * buffered by the kernel until `read`. Every handle must be closed; taps and watches end some milliseconds after `close`
 * returns. The kernel also removes everything when the process ends, however it ends.
 */
import type { NftFamily } from './desired.ts';

/** Selects the packets of one probe and its answers, or those of a service. Nothing else is traced. */
export interface TraceMatch {
  /** IP version. */
  family: 4 | 6;
  /** `icmp` is ICMPv6 for family 6. */
  protocol: 'tcp' | 'udp' | 'icmp';
  /**
   * The probe's own port, found as source or as destination port; for ICMP the identifier of echo messages. Survives any
   * translation of addresses and of the destination port, but not of this port.
   */
  id: number;
  /**
   * Instead of `id`: what other programs send from or to these ports. Of TCP only packets that open or refuse a connection;
   * for ICMP all echo messages, whatever the ports.
   */
  servicePorts?: readonly number[];
  /** UDP ports of VXLAN tunnels: the same packets are found inside them. Default: 4789. */
  vxlanPorts?: readonly number[];
}

export interface TraceRequest {
  ns?: string;
  match: TraceMatch;
}

/** Headers of an IP packet, as far as they were recorded. */
export interface PacketHeaders {
  version: 4 | 6;
  source: string;
  destination: string;
  /** IP protocol number, behind IPv6 extension headers: 6 TCP, 17 UDP, 1 ICMP, 58 ICMPv6. */
  protocol: number;
  /** Length of the IP packet in bytes. */
  length: number;
  /** TTL or hop limit. */
  ttl: number;
  /** IPv4 identification: the same on all hosts and after NAT. */
  ipId?: number;
  /** IPv4: the bit DF. */
  dontFragment?: boolean;
  /** TCP and UDP. */
  sourcePort?: number;
  destinationPort?: number;
  tcp?: { flags: TcpFlag[]; sequence: number; acknowledgement: number };
  icmp?: IcmpHeader;
  /** Contents of a VXLAN tunnel's packet. */
  inner?: PacketHeaders;
}

export type TcpFlag = 'FIN' | 'SYN' | 'RST' | 'PSH' | 'ACK' | 'URG';

/** ICMP (RFC 792) or ICMPv6 (RFC 4443). */
export interface IcmpHeader {
  type: number;
  code: number;
  /** Echo messages. */
  id?: number;
  sequence?: number;
  /** MTU of the next hop: fragmentation needed, packet too big. */
  mtu?: number;
  /** The packet that an error is about. */
  about?: PacketHeaders;
}

// ---- rules

/** `nft monitor trace` of one namespace, restricted to one probe. */
export interface RuleTrace {
  /** Pending messages in the kernel's order; none is waited for. */
  read(): RuleTraceMessage[];
  /** True once messages were lost because the socket's buffer was full. */
  readonly incomplete: boolean;
  /** Deletes the own table, so that no packet is traced any more. What the kernel has reported by then can still be read. */
  disarm(): void;
  close(): void;
}

/** One message of the kernel about one packet (NFT_MSG_TRACE). Only rules that match are reported. */
export interface RuleTraceMessage {
  /**
   * The same for one packet in one part of its way; it differs between a bridge and the routed part. Join parts by
   * `conntrack.id`, hosts by `headers.ipId` and ports.
   */
  traceId: number;
  family: NftFamily;
  table: string;
  chain: string;
  /** Hook of a base chain: `prerouting`, `forward`, …; undefined for other chains, and for one deleted meanwhile. */
  hook?: string;
  /** `rule`: a rule matched. `policy`: the base chain ended, with its policy as verdict. `return`: the chain ended. */
  type: 'rule' | 'policy' | 'return';
  verdict: NftVerdict;
  /** Chain that `jump` and `goto` continue with. */
  target?: string;
  /** The rule that matched; without text when it was deleted or replaced before it was looked up. */
  rule?: { handle: number; text?: string; comment?: string };
  /** Links by name, or `if7` for one that is gone. Like all that follows only in the first message of each base chain. */
  iif?: string;
  oif?: string;
  mark?: number;
  headers?: PacketHeaders;
  macs?: { source: string; destination: string };
  conntrack?: ConntrackState;
  /** Message of the trace's own table: it shows that the packet passed this hook, and nothing else. */
  own: boolean;
}

export type NftVerdict = 'accept' | 'drop' | 'stolen' | 'queue' | 'continue' | 'jump' | 'goto' | 'return';

/** Of the packet's connection. Kernels before 6.16 do not report it: see `findConnection`. */
export interface ConntrackState {
  /** The same in all parts of the packet's way through one namespace. */
  id: number;
  state: 'new' | 'established' | 'related' | 'invalid' | 'untracked';
  direction: 'original' | 'reply';
  /** Translation decided so far: of the source, of the destination. */
  sourceNat: boolean;
  destinationNat: boolean;
}

// ---- taps

/** All packets of one probe on all links of one namespace (a packet socket). */
export interface PacketTap {
  /** Pending packets in the order in which they passed; none is waited for. */
  read(): TappedPacket[];
  /** Packets that matched but were lost because the socket's buffer was full. */
  readonly dropped: number;
  close(): void;
}

export interface TappedPacket {
  linkIndex: number;
  /** Name, or `if7` for a link that is gone. */
  link: string;
  /**
   * `out`: the namespace transmits it. `in`: received for this host, a group or all. `other`: received with the MAC of
   * another host, which is normal on a bridge's ports, and is dropped anywhere else.
   */
  direction: 'in' | 'out' | 'other';
  /** Nanoseconds since the epoch; comparable between the namespaces of one host. */
  time: bigint;
  headers: PacketHeaders;
  /** Of Ethernet links. */
  macs?: { source: string; destination: string };
}

// ---- packets and drops, by the kernel's tracepoints

export interface WatchRequest {
  match: TraceMatch;
  /** Paths of the namespaces whose packets are reported. */
  namespaces: readonly string[];
  /** Also packets as they are transmitted, which costs others the same again. Received ones are always reported. */
  outgoing?: boolean;
  /** Also packets that the kernel drops. Default: true. */
  drops?: boolean;
}

/** All packets of one probe in several namespaces, and why the kernel dropped some of them. */
export interface PacketWatch {
  /** Pending packets and drops in order; none is waited for. */
  read(): Promise<{ packets: WatchedPacket[]; drops: DroppedPacket[] }>;
  /** True once some were lost because the buffer was full. */
  readonly incomplete: boolean;
  /** Reports no more packets, only drops. What was seen by then can still be read. */
  stopPackets(): void;
  close(): void;
}

/** `namespace` is a path of the request. */
export interface WatchedPacket extends Omit<TappedPacket, 'macs'> {
  namespace: string;
}

/** Not every drop is a fault: an echo reply for a raw socket, as `ping` has it, ends as NO_SOCKET in `ping_rcv`. */
export interface DroppedPacket {
  /** Nanoseconds since the epoch, within some microseconds. */
  time: bigint;
  /** Name in the kernel's enum skb_drop_reason: `NETFILTER_DROP`, `IP_RPFILTER`, `NO_SOCKET`, `NOT_SPECIFIED`, … */
  reason: string;
  /** Function that dropped it, such as `ip_error`; undefined when the kernel hides its symbols. */
  location?: string;
  headers: PacketHeaders;
  /** Where the packet was seen last: a path of the request, and a link, which is '' before the packet has left a socket. */
  namespace: string;
  link: string;
}

// ---- routes

/** What `ip route get` is asked. */
export interface RouteQuery {
  ns?: string;
  destination: string;
  source?: string;
  /** Name of the link by which the packet arrives: the answer is that of forwarding, with rp_filter. */
  iif?: string;
  oif?: string;
  mark?: number;
  protocol?: 'tcp' | 'udp' | 'icmp';
  sourcePort?: number;
  destinationPort?: number;
}

export type RouteResult =
  | { found: true; route: MatchedRoute }
  /**
   * `ENETUNREACH` no route; `EINVAL` blackhole, rp_filter, invalid source; `EACCES` prohibit; `EHOSTUNREACH`
   * unreachable, or forwarding is off; `ENODEV` no such link; `EAGAIN` throw.
   */
  | { found: false; errno: string; text: string };

export interface MatchedRoute {
  /** `default`, or a prefix: the route in its table that matched. */
  to: string;
  /** 254 main, 255 local; IPv4 reports main for both until a policy rule was added to the namespace. */
  table: number;
  /** Origin: 2 kernel, 3 boot, 4 static, … */
  protocol: number;
  metric?: number;
  type: RouteType;
  /** Gateway, link and source address that this packet gets. */
  via?: string;
  link?: string;
  source?: string;
  /** Learned path MTU, or that of the route; undefined: that of the link. */
  mtu?: number;
}

export type RouteType =
  | 'unicast'
  | 'local'
  | 'broadcast'
  | 'anycast'
  | 'multicast'
  | 'blackhole'
  | 'unreachable'
  | 'prohibit'
  | 'throw'
  | 'other';

// ---- counters

/** Counters of one namespace at one moment. */
export interface NamespaceCounters {
  /**
   * By name, as nstat(8) has them with the group before a dot: `IpExt.InNoRoutes`, `TcpExt.IPReversePathFilter`,
   * `Ip.InAddrErrors`, `Ip6.InNoRoutes`; of conntrack `Conntrack.drop`, `Conntrack.insert_failed`, …
   */
  protocols: ReadonlyMap<string, bigint>;
  /** Drops and errors by name of the link. */
  links: ReadonlyMap<string, LinkDrops>;
}

export interface LinkDrops {
  rxDropped: bigint;
  rxErrors: bigint;
  txDropped: bigint;
  txErrors: bigint;
}

/** What changed: only counters that moved. */
export interface CounterChanges {
  protocols: Readonly<Record<string, bigint>>;
  links: Readonly<Record<string, Partial<LinkDrops>>>;
}

// ---- probe

export interface ProbeRequest {
  /** The sender's namespace. */
  ns?: string;
  protocol: 'tcp' | 'udp' | 'icmp';
  destination: string;
  /** Of TCP and UDP. */
  port?: number;
  /** Default: the address that the route to the destination has. */
  source?: string;
  /** Bytes of data of a UDP datagram or an echo request. Default: 0 for UDP, 56 for ICMP. */
  dataLength?: number;
  /** Sent with the bit DF and without regard to the learned path MTU. */
  dontFragment?: boolean;
}

/** A socket in the sender's namespace, bound and not yet used. */
export interface Probe {
  /** What traces and taps of this probe match. */
  readonly match: TraceMatch;
  /**
   * Sends the probe and waits for its result, at most `timeoutMs`, and until `signal` aborts: then it has timed out, too.
   * Can be called once. A TCP connection is closed at once with FIN, without data: an RST would end programs that do not
   * handle ECONNRESET. Does not throw for anything that the network does.
   */
  send(timeoutMs: number, signal?: AbortSignal): Promise<ProbeResult>;
  close(): void;
}

export interface ProbeResult {
  /**
   * `connected`: the kernel of the destination completed the TCP handshake. `answered`: UDP data or an echo reply
   * arrived. `refused`: RST, or ICMP port unreachable. `error`: any other errno. `timeout`: no answer.
   */
  outcome: 'connected' | 'answered' | 'refused' | 'error' | 'timeout';
  /** With `refused` and `error`: `ECONNREFUSED`, `EHOSTUNREACH`, `ENETUNREACH`, `EPERM`, `EMSGSIZE`, … */
  errno?: string;
  /**
   * The ICMP error that caused it, and who sent it: the sender itself when no neighbour answered. Absent when it is an RST,
   * or the kernel's own error. Hosts limit the errors that they send: silence may follow several of them.
   */
  icmp?: { from: string; type: number; code: number; mtu?: number };
  /** Source address of the probe; undefined when it was not sent. */
  source?: string;
}

// ---- neighbours

export interface SolicitRequest {
  ns?: string;
  /** Link on which the request is sent: a bridge, or any Ethernet link. */
  link: string;
  address: string;
  /** How long answers are collected. Default: 300. */
  waitMs?: number;
}

// ---- connections

/** One direction of a connection; ports are those of TCP and UDP, `id` that of ICMP echo. */
export interface ConnectionTuple {
  source: string;
  destination: string;
  sourcePort?: number;
  destinationPort?: number;
  icmpId?: number;
}

export interface ConnectionQuery extends ConnectionTuple {
  ns?: string;
  protocol: 'tcp' | 'udp' | 'icmp';
}

export interface TracedConnection {
  /** As in `ConntrackState`. */
  id: number;
  original: ConnectionTuple;
  /** Differs from the mirrored original by the translation. */
  reply: ConnectionTuple;
  sourceNat: boolean;
  destinationNat: boolean;
  /** A packet of the reply direction was seen. */
  replied: boolean;
}

/**
 * Implemented by `packetTracing()`. All functions throw KernelError, such as ENOENT for a namespace that does not exist,
 * and `invalid` for addresses and ports that are none.
 */
export interface PacketTracing {
  /**
   * Creates a table with the flag `owner` that marks the probe's packets (at priority -350 of inet prerouting and output,
   * and of bridge prerouting), where chains exist that they may pass, and subscribes to the kernel's messages about them.
   * Chains that are created later may be missed. Throws `unavailable` when this kernel or nft cannot do that. Equivalent to `nft add table …` and `nft monitor trace`.
   */
  openRuleTrace(request: TraceRequest): RuleTrace;
  /** Equivalent to `tcpdump -i any`. */
  openTap(request: TraceRequest): PacketTap;
  /**
   * Attaches BPF programs to the tracepoints netif_receive_skb and kfree_skb, and net_dev_queue for outgoing packets.
   * Throws `unavailable` on a kernel without BTF, and KernelError EPERM where bpf(2) is forbidden.
   */
  openPacketWatch(request: WatchRequest): PacketWatch;
  /** Throws KernelError EADDRNOTAVAIL when `source` is no address of the namespace. */
  openProbe(request: ProbeRequest): Probe;
  /** Equivalent to `ip route get fibmatch …`, and `ip route get …` for link, gateway, source and MTU. */
  queryRoute(query: RouteQuery): RouteResult;
  /** Equivalent to `nstat -az`, `ip -s link`. */
  readCounters(ns?: string): NamespaceCounters;
  /**
   * All MACs that answer for an address: an ARP probe (RFC 5227) or a neighbour solicitation without source address, which
   * change no host's neighbour table by themselves. Own addresses of the namespace do not answer. Equivalent to
   * `arping -D`.
   */
  solicitNeighbours(request: SolicitRequest): Promise<string[]>;
  /** The connection with this tuple in either direction. Equivalent to `conntrack -G`. */
  findConnection(query: ConnectionQuery): TracedConnection | undefined;
}
