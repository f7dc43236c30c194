/** Packets, rule traces and counters of the namespaces on a probe's way, as long as they are observed. */
import { messageOf } from '@netyard/core';
import type { PacketTracing, TraceMatch } from '@netyard/kernel';
import type { HostNamespace } from '@netyard/topology';
import { type Armed, type CollectContext, type Collected, collectEvidence, sightingsOf } from './evidence.ts';
import type { Sighting } from './model.ts';
import { type ObservationRequest, type ObservedPackets, openPackets, openReceivedPackets } from './observed-packets.ts';
import type { Observation } from './tools.ts';

export function closeAll(packets: ObservedPackets, armed: readonly Armed[]): void {
  packets.close();
  for (const { rules } of armed) rules?.close();
}

/** Throws what `PacketTracing` throws; whatever was opened before is closed. */
export function openObservation(tracing: PacketTracing, request: ObservationRequest): Observation {
  const { namespaces, match } = request;
  const armed: Armed[] = [];
  const incomplete: string[] = [];
  const packets = openPackets(tracing, request, incomplete);
  try {
    for (const namespace of namespaces) armed.push(armNamespace(tracing, namespace, match, incomplete));
  } catch (error) {
    closeAll(packets, armed);
    throw error;
  }
  return new ProbeObservation(tracing, { packets, armed, match, incomplete });
}

/** Received packets only; undefined where the kernel does not report them at little cost. Throws as `openObservation`. */
export function openPacketObservation(
  tracing: PacketTracing,
  request: Omit<ObservationRequest, 'outgoing'>,
): Observation | undefined {
  const packets = openReceivedPackets(tracing, request);
  return packets && new ProbeObservation(tracing, { packets, armed: [], match: request.match, incomplete: [] });
}

interface ObservationParts {
  packets: ObservedPackets;
  armed: readonly Armed[];
  match: TraceMatch;
  incomplete: readonly string[];
}

type SeenPackets = Awaited<ReturnType<ObservedPackets['read']>>;

class ProbeObservation implements Observation {
  readonly #tracing: PacketTracing;
  readonly #parts: ObservationParts;
  readonly #seen: SeenPackets = { packets: [], drops: [] };
  #reading: Promise<SeenPackets | undefined> = Promise.resolve(undefined);
  readonly #problems = new Set<string>();
  #startNs = nowNs();

  constructor(tracing: PacketTracing, parts: ObservationParts) {
    this.#tracing = tracing;
    this.#parts = parts;
  }

  start(): void {
    this.#startNs = nowNs();
  }

  async peek(): Promise<Sighting[]> {
    const { packets } = await this.#read();
    return sightingsOf(packets, this.#context());
  }

  reduce(): void {
    for (const { rules } of this.#parts.armed) rules?.disarm();
    this.#parts.packets.stopPackets();
  }

  async collect(): Promise<Collected> {
    const seen = await this.#read();
    return await collectEvidence(this.#tracing, this.#parts.armed, async () => seen, this.#context());
  }

  close(): void {
    closeAll(this.#parts.packets, this.#parts.armed);
  }

  #context(): CollectContext {
    const incomplete = [...this.#parts.incomplete, ...this.#problems];
    return { match: this.#parts.match, startNs: this.#startNs, incomplete };
  }

  /** All that was seen, now and before. One read after the other: what one has taken, the next does not find. */
  #read(): Promise<SeenPackets> {
    const reading = this.#reading.catch(() => undefined).then(() => this.#readNow());
    this.#reading = reading;
    return reading;
  }

  async #readNow(): Promise<SeenPackets> {
    const problems: string[] = [];
    const { packets, drops } = await this.#parts.packets.read(problems);
    for (const problem of problems) this.#problems.add(problem);
    this.#seen.packets.push(...packets);
    this.#seen.drops.push(...drops);
    return this.#seen;
  }
}

const nowNs = (): bigint => BigInt(Math.round((performance.timeOrigin + performance.now()) * 1e6));

/** Problems of rule tracing are added to `incomplete`. */
export function armNamespace(
  tracing: PacketTracing,
  namespace: HostNamespace,
  match: TraceMatch,
  incomplete: string[],
): Armed {
  const ns = namespace.path;
  const before = tracing.readCounters(ns);
  try {
    return { namespace, before, rules: tracing.openRuleTrace({ ns, match }) };
  } catch (error) {
    incomplete.push(`rules of ${namespace.name} are not traced: ${messageOf(error)}`);
    return { namespace, before, rules: undefined };
  }
}
