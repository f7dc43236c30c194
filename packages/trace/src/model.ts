/**
 * The data of a packet trace: the question, the path that the packet should take, what was seen of it, and the answer.
 * Plain data; addresses are canonical text, ids of namespaces are those of `HostTopology`.
 */
import type { HostContainer, HostNamespace, ListeningSocket } from '@netyard/topology';

export type TraceProtocol = 'tcp' | 'udp' | 'icmp';

export interface TraceRequest {
  /** A container of any engine (`web`, `docker/web`), `host`, the name of a namespace, or `outside`. */
  from: string;
  /** As `from`, or an address, or a name that `from` resolves. */
  to: string;
  /** Not for icmp. */
  port?: number;
  protocol: TraceProtocol;
  family?: 4 | 6;
  /** Bytes of data of an echo request or a datagram, which is then sent with the bit DF. */
  size?: number;
}

/** Where a trace starts or ends. */
export interface TraceEnd {
  /** As the user wrote it. */
  text: string;
  container?: HostContainer;
  namespace?: HostNamespace;
  /** What the probe is sent to, or the sender's own addresses. Without length. */
  addresses: string[];
  /** Whatever is beyond the uplink of this host. */
  isOutside?: true;
}

/** The header fields of a packet on its way; ports are absent for icmp. */
export interface TracePacket {
  protocol: TraceProtocol;
  source?: string;
  sourcePort?: number;
  destination: string;
  destinationPort?: number;
}

export type HopKind = 'socket' | 'link' | 'bridge' | 'route' | 'translation' | 'tunnel';

/** One object on the way. */
export interface Hop {
  namespaceId: string;
  /** Name of the namespace: `host` or a container. */
  place: string;
  kind: HopKind;
  /** Interface, bridge, `route 10.0.0.0/8 via 10.1.0.1`, `port 8080/tcp`, … */
  name: string;
  /** Of a link: whether the packet leaves or enters the namespace here. */
  direction?: 'in' | 'out';
  /** As expected after this hop. */
  packet: TracePacket;
}

/** How a predicted path ends. */
export type PathEnd =
  | { kind: 'delivered'; namespaceId: string; packet: TracePacket; socket?: ListeningSocket }
  /** To another host, or to a part of this one that is not observed. */
  | { kind: 'left'; namespaceId: string; link: string; nextHop: string; packet: TracePacket }
  | { kind: 'no-route'; namespaceId: string; route?: string; packet: TracePacket }
  | { kind: 'not-forwarded'; namespaceId: string; packet: TracePacket }
  | { kind: 'no-neighbour'; namespaceId: string; link: string; nextHop: string; packet: TracePacket }
  | { kind: 'link-down'; namespaceId: string; link: string; packet: TracePacket }
  | { kind: 'loop'; namespaceId: string; packet: TracePacket };

export interface PredictedPath {
  hops: Hop[];
  end: PathEnd;
}

/** A packet of the probe, or of its answer, seen on an interface. */
export interface Sighting {
  namespaceId: string;
  link: string;
  direction: 'in' | 'out';
  /** Milliseconds since the probe was sent. */
  atMs: number;
  packet: TracePacket;
  /** From the destination back to the sender. */
  isAnswer: boolean;
  /** Received with the MAC of another host: normal on a bridge's ports, dropped anywhere else. */
  otherHost?: boolean;
  /** TCP flags, such as `S`, `SA`, `R`; `icmp:3/1` for an ICMP error that quotes the probe. */
  flags: string;
  /** Of a tunnel's packet that contains the probe. */
  outer?: TracePacket;
}

/** A verdict of an nftables chain about a packet of the probe. */
export interface RuleVerdict {
  namespaceId: string;
  family: string;
  table: string;
  chain: string;
  /** Text of the rule, without its comment; undefined for the policy of the chain. */
  rule?: string;
  comment?: string;
  verdict: 'accept' | 'drop' | 'reject' | 'queue' | 'continue';
  /** Interfaces as the chain saw them. */
  input?: string;
  output?: string;
  /** Of the packet, as in `Sighting`. */
  flags: string;
  atMs: number;
  isAnswer: boolean;
  /** Of a tunnel's packet that contains the probe, as the chain saw it. */
  outer?: TracePacket;
}

/** What the sending socket experienced. */
export interface ProbeResult {
  outcome: 'answered' | 'refused' | 'error' | 'timeout';
  /** Of `error`: such as `EHOSTUNREACH`. */
  errno?: string;
  /** Address that the probe was sent from; undefined when it was not sent. */
  source?: string;
  /** Who reported the error by ICMP. */
  reportedBy?: string;
  ms: number;
}

/** A counter of a namespace or a link that grew while the probe was on its way. */
export interface CounterChange {
  namespaceId: string;
  /** Such as `IpReversePathFilter`, or `eth0 rx_dropped`. */
  counter: string;
  change: number;
}

/** A packet of the probe, or of its answer, that the kernel dropped, and its reason. */
export interface KernelDrop {
  /** Where it was seen last; without link before it has left a socket. */
  namespaceId: string;
  link?: string;
  /** A name of the kernel's `enum skb_drop_reason`, such as `SOCKET_RCVBUFF`. */
  reason: string;
  /** The kernel's function that dropped it. */
  location?: string;
  packet: TracePacket;
  isAnswer: boolean;
  /** As in `Sighting`. */
  flags: string;
  atMs: number;
}

/** Who answers for an address on a link. */
export interface NeighbourCheck {
  namespaceId: string;
  link: string;
  address: string;
  macs: string[];
}

/** Connection tracking of the host: entries and their limit, of all namespaces. */
export interface ConntrackFill {
  entries: number;
  limit: number;
}

/**
 * What was observed of a probe: its answer alone, the packets as interfaces received them, or everything: packets, drops,
 * rules and counters.
 */
export type Observed = 'answer' | 'packets' | 'rules';

/** A rule or a policy of iptables-legacy or ip6tables-legacy that dropped packets while the probe was on its way. */
export interface LegacyDrop {
  namespaceId: string;
  family: 4 | 6;
  table: string;
  chain: string;
  /** As `iptables-legacy-save` prints it, without the chain; undefined for the policy of the chain. */
  rule?: string;
  /** Dropped by it; not all need be of the probe. */
  packets: number;
}

/** All that was observed of one probe. */
export interface TraceEvidence {
  sightings: Sighting[];
  verdicts: RuleVerdict[];
  probe: ProbeResult;
  counters: CounterChange[];
  /** Also harmless ones; empty when the kernel does not report them. */
  drops: KernelDrop[];
  neighbours: NeighbourCheck[];
  /** Of the second probe; undefined where no namespace has such rules. */
  legacyDrops?: LegacyDrop[];
  /** Entries of connection tracking and their limit, when the probe was not answered. */
  conntrack?: ConntrackFill;
  /** What could not be observed, a sentence each. */
  incomplete: string[];
}

/** Another host as this one, or a peer, knows it. */
export interface KnownHost {
  name: string;
  address: string;
  /** Of its containers; also its parts of networks of a cluster. */
  subnets: string[];
}

/** A host that Netyard's daemon here has as a peer. */
export interface PeerHost extends KnownHost {
  /** Undefined while there is no path. */
  path?: PeerWay;
}

/** How packets leave for a peer's containers. */
export interface PeerWay {
  kind: 'route' | 'vxlan';
  /** The uplink or the tunnel. */
  link: string;
  uplink: string;
  /** This host's address on the uplink. */
  local: string;
  mtu: number;
}

/** What a peer observed of one flow: as `TraceEvidence`, with times since the peer was armed. */
export type FlowEvidence = Omit<TraceEvidence, 'probe'>;

export type TraceGrade = 'observed' | 'inferred' | 'predicted';

/** Why a packet did not arrive, or that it did. */
export interface Conclusion {
  outcome: 'reached' | 'not-reached' | 'unknown';
  /** A stable name for programs, such as `port-not-published`. */
  cause: string;
  /** One sentence that names the object. */
  sentence: string;
  /** A command or an instruction that fixes it. */
  fix?: string;
  /** The peer on which the packet stopped and on which the fix is applied; undefined for this host. */
  host?: string;
  grade: TraceGrade;
}
