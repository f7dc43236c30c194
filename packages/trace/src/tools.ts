/** What a trace needs of the host. Implemented in `kernel-tools.ts`; tests use values. */
import type { TraceMatch } from '@netyard/kernel';
import type { HostNamespace, HostTopology } from '@netyard/topology';
import type { NameAnswer } from './explain/case.ts';
import type {
  ConntrackFill,
  FlowEvidence,
  KnownHost,
  NeighbourCheck,
  PeerHost,
  ProbeResult,
  TraceEnd,
  TraceEvidence,
  TracePacket,
  TraceRequest,
} from './model.ts';
import type { ObservedPacket } from './observed-packets.ts';

/** A socket in the sender's namespace, bound, so that its port is known before anything is armed. */
export interface Probe {
  /** For icmp, the identifier of the echo request. */
  sourcePort: number;
  /** Sends, and resolves with the answer, an error, or without either after the wait or when the signal aborts it. */
  send(waitMs: number, signal?: AbortSignal): Promise<ProbeResult>;
  close(): void;
}

/** Packets, rule tracing and counters of several namespaces, of the probe's packets only. */
export interface Observation {
  /** What was seen until now; times are counted from `start`. */
  collect(): Promise<
    Pick<TraceEvidence, 'sightings' | 'verdicts' | 'counters' | 'drops' | 'legacyDrops' | 'incomplete'>
  >;
  /** The probe is sent now. */
  start(): void;
  /** The packets that were seen until now. */
  peek(): Promise<TraceEvidence['sightings']>;
  /**
   * Ends what costs other traffic most: rules are traced no more and, where the kernel reports drops, packets are not
   * observed any more. What was seen until now is kept.
   */
  reduce(): void;
  /** Leaves nothing behind. */
  close(): void;
}

/** A packet of any connection to the observed ports. */
export interface LivePacket {
  namespace: HostNamespace;
  packet: ObservedPacket;
}

/** The same of what other programs send: everything is read until one connection is chosen. */
export interface LiveObservation {
  /** Packets since the last call. They are kept until `forget`. */
  poll(): Promise<LivePacket[]>;
  /** Drops what was read before the last call: none of it is about the connection. */
  forget(): void;
  /** What was seen of the connection that this packet opened, with times since then. */
  collect(first: LivePacket): ReturnType<Observation['collect']>;
  /** Leaves nothing behind. */
  close(): void;
}

export interface TraceTools {
  observe(): Promise<HostTopology>;
  /**
   * As the sender's hosts file or resolver answers; undefined when neither knows the name. Names of containers are asked of
   * the engine's resolver only: other servers do not have them, and may not answer at all.
   */
  resolve(sender: TraceEnd, name: string, isContainer: boolean): Promise<NameAnswer | undefined>;
  openProbe(sender: HostNamespace, packet: TracePacket, size?: number): Promise<Probe>;
  /**
   * Observes only which links receive the probe's packets, which costs other traffic little. Undefined where that needs BPF
   * and the kernel has none.
   */
  watch(namespaces: readonly HostNamespace[], packet: TracePacket): Promise<Observation | undefined>;
  /** Observes everything. `outgoing`: also what is sent on links whose other end is in none of the namespaces. */
  arm(namespaces: readonly HostNamespace[], packet: TracePacket, outgoing: boolean): Promise<Observation>;
  /** Observes all connections to the ports of `match`. */
  armLive(namespaces: readonly HostNamespace[], match: TraceMatch): Promise<LiveObservation>;
  /** Asks by ARP or neighbour solicitation who has an address on a link. */
  askNeighbour(namespace: HostNamespace, link: string, address: string): Promise<NeighbourCheck>;
  /** Undefined when connection tracking is not loaded. */
  readConntrack(): Promise<ConntrackFill | undefined>;
  /** Undefined for a trace on one host. */
  peers?: PeerTools;
}

/** What a trace across hosts needs of the daemon here and of those of its peers. */
export interface PeerTools {
  /** Empty where no daemon of Netyard runs. */
  list(): Promise<PeerHost[]>;
  /** Throws when the peer cannot be asked, or does not know the target. */
  ask(peer: PeerHost, request: FlowRequest): Promise<FlowSession>;
}

/** One flow that a peer is to observe: a container there, `host`, or an address. */
export interface FlowRequest extends Pick<TraceRequest, 'protocol' | 'port'> {
  target: string;
}

/**
 * A peer's part of a trace. Must be closed; the peer also ends it when the connection ends, or after some seconds. `sourcePort`
 * of a packet selects its probe; for icmp it is the identifier.
 */
export interface FlowSession {
  readonly view: PeerView;
  /** Once. As `TraceTools.watch`: false where the peer cannot do that. */
  watch(packet: TracePacket): Promise<boolean>;
  /** Once. Observes everything of this probe, and no other one any more. */
  arm(packet: TracePacket): Promise<void>;
  /** What was seen since `watch` or `arm`, which ends with it. */
  collect(probe: Pick<ProbeResult, 'outcome'>): Promise<FlowEvidence>;
  close(): void;
}

/** What a peer says about itself before it observes anything. */
export interface PeerView {
  /** The namespaces, containers and networks that the flow may concern. */
  topology: HostTopology;
  /** The hosts that the peer knows as its peers. */
  peers: KnownHost[];
}
