/** A peer's part of a trace, on the peer: observes one flow of another host's probe, and nothing else. */
import { setTimeout as pause } from 'node:timers/promises';
import { NetyardError } from '@netyard/core';
import type { HostNamespace, HostTopology } from '@netyard/topology';
import { findEnd } from '../ends.ts';
import { hasNews, shortFlight } from '../flight.ts';
import type { FlowEvidence, KnownHost, PredictedPath, ProbeResult, TracePacket } from '../model.ts';
import { askNeighbours } from '../neighbours.ts';
import { predictPath } from '../predict.ts';
import { lookUpRoute } from '../route-lookup.ts';
import type { FlowRequest, FlowSession, Observation, PeerView, TraceTools } from '../tools.ts';
import { pruneTopology } from './select.ts';

export interface FlowTools extends Pick<TraceTools, 'watch' | 'arm' | 'askNeighbour' | 'readConntrack'> {
  /** The namespaces that a flow may concern. */
  observe(request: FlowRequest): Promise<HostTopology>;
  /** The peers of this host. */
  knownHosts(): Promise<KnownHost[]>;
}

/** Sightings and verdicts of one flow: a probe has some ten of each. More are other packets of its port. */
const maxEvents = 2000;
/** After its first packet, everything about a flow is observed for this time: what answers here has answered by then. */
const flightMs = 100;
const pollMs = 20;
/** More than one that dropped meanwhile is no evidence. */
const maxLegacyDrops = 100;

/** Throws `not-found` for a name that is none of a container here. Nothing is observed before `arm`. */
export async function openFlow(tools: FlowTools, request: FlowRequest): Promise<FlowSession> {
  const [topology, peers] = await Promise.all([tools.observe(request), tools.knownHosts()]);
  if (findEnd(topology, request.target) === undefined) {
    throw new NetyardError('not-found', `no such container or namespace on ${topology.hostName}: ${request.target}`, {
      hint: `netyard topology on ${topology.hostName} lists the containers of all engines`,
    });
  }
  return new LocalFlow(tools, topology, peers);
}

interface ObservedFlow {
  observation: Observation;
  packet: TracePacket;
  path: PredictedPath;
  /** When rules were not traced any more, in milliseconds since `start`. */
  reducedAtMs?: number;
}

class LocalFlow implements FlowSession {
  readonly view: PeerView;
  readonly #tools: FlowTools;
  readonly #topology: HostTopology;
  #observed: ObservedFlow | undefined;
  #isClosed = false;
  readonly #asked = new Set<'watch' | 'arm'>();

  constructor(tools: FlowTools, topology: HostTopology, peers: KnownHost[]) {
    this.#tools = tools;
    this.#topology = topology;
    this.view = { topology: pruneTopology(topology), peers };
  }

  async watch(packet: TracePacket): Promise<boolean> {
    const { path, namespaces } = this.#begin('watch', packet);
    const observation = await this.#tools.watch(namespaces, packet);
    if (observation === undefined) return false;
    this.#observe({ observation, packet, path });
    return true;
  }

  async arm(packet: TracePacket): Promise<void> {
    const { path, namespaces } = this.#begin('arm', packet);
    const flow: ObservedFlow = { observation: await this.#tools.arm(namespaces, packet, true), packet, path };
    const startedAt = performance.now();
    this.#observe(flow);
    // What fails here also does so in `collect`, which reports it.
    this.#reduceAfterFlight(flow, startedAt).catch(() => undefined);
  }

  /** The host that asks waits longer for an answer than any rule sees a packet. */
  async #reduceAfterFlight(flow: ObservedFlow, startedAt: number): Promise<void> {
    for (let endsAt = Number.POSITIVE_INFINITY; performance.now() < endsAt; ) {
      await pause(pollMs, undefined, { ref: false });
      if (this.#observed !== flow) return;
      const [first] = await flow.observation.peek();
      if (first !== undefined) endsAt = startedAt + first.atMs + flightMs;
    }
    if (this.#observed !== flow) return;
    flow.reducedAtMs = performance.now() - startedAt;
    flow.observation.reduce();
  }

  /** Two probes at most, the second with all that can be observed. */
  #begin(kind: 'watch' | 'arm', packet: TracePacket): { path: PredictedPath; namespaces: HostNamespace[] } {
    if (this.#asked.has(kind) || this.#asked.has('arm') || this.#isClosed)
      throw new NetyardError('invalid', 'a flow is observed once');
    this.#asked.add(kind);
    this.#endObservation();
    const host = this.#topology.namespaces.find(({ isHost }) => isHost);
    if (host === undefined) throw new NetyardError('unavailable', 'the namespace of this host cannot be observed');
    const path = predictPath(this.#topology, host, packet, arrivalLink(host, packet));
    return { path, namespaces: this.#namespacesOf(host, path) };
  }

  #observe(flow: ObservedFlow): void {
    this.#observed = flow;
    if (this.#isClosed) this.#endObservation();
    else flow.observation.start();
  }

  #endObservation(): void {
    this.#observed?.observation.close();
    this.#observed = undefined;
  }

  async collect({ outcome }: Pick<ProbeResult, 'outcome'>): Promise<FlowEvidence> {
    if (this.#observed === undefined) throw new NetyardError('invalid', 'this flow is not observed');
    const { observation, packet, path, reducedAtMs } = this.#observed;
    const seen = await observation.collect();
    this.#endObservation();
    if (reducedAtMs !== undefined && hasNews(seen, reducedAtMs)) seen.incomplete.push(shortFlight(reducedAtMs));
    const isOver = outcome === 'answered' || seen.sightings.length === 0;
    const asked = { topology: this.#topology, path, from: { text: '', addresses: [] }, packet };
    const neighbours = isOver ? [] : await askNeighbours(this.#tools, asked, seen);
    const conntrack = isOver ? undefined : await this.#tools.readConntrack();
    return {
      ...seen,
      sightings: seen.sightings.slice(0, maxEvents),
      verdicts: seen.verdicts.slice(0, maxEvents),
      drops: seen.drops.slice(0, maxEvents),
      ...(seen.legacyDrops === undefined ? {} : { legacyDrops: seen.legacyDrops.slice(0, maxLegacyDrops) }),
      neighbours,
      ...(conntrack === undefined ? {} : { conntrack }),
    };
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#endObservation();
  }

  #namespacesOf(host: HostNamespace, { hops }: PredictedPath): HostNamespace[] {
    const ids = new Set(hops.map(({ namespaceId }) => namespaceId));
    return this.#topology.namespaces.filter(({ id }) => id === host.id || ids.has(id));
  }
}

/** By the route back, if there is one: any interface but none, because the host forwards the packet. */
const arrivalLink = (host: HostNamespace, { source }: TracePacket): string =>
  (source === undefined ? undefined : lookUpRoute(host, source)?.link) ?? 'uplink';
