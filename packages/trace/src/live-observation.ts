/**
 * Observation of what other programs send: packets and rule traces of all connections to some ports are read until one of them
 * is chosen, and then translated to evidence as those of a probe.
 */
import { NetyardError } from '@netyard/core';
import {
  isOfProbe,
  type PacketHeaders,
  type PacketTracing,
  type RuleTraceMessage,
  type TraceMatch,
} from '@netyard/kernel';
import type { HostNamespace } from '@netyard/topology';
import { type Armed, collectEvidence } from './evidence.ts';
import { armNamespace, closeAll } from './observation.ts';
import { type ObservedDrop, type ObservedPackets, openPackets } from './observed-packets.ts';
import type { LiveObservation, LivePacket } from './tools.ts';

/** How old the counters may be to which those of the end are compared. */
const countersMs = 1000;
/** Of a namespace, while nothing is followed. */
const keptMessages = 2000;

/** Throws what `PacketTracing` throws; whatever was opened before is closed. */
export function openLiveObservation(
  tracing: PacketTracing,
  { namespaces, match }: { namespaces: readonly HostNamespace[]; match: TraceMatch },
): LiveObservation {
  const incomplete: string[] = [];
  const packets = openPackets(tracing, { namespaces, match, outgoing: true }, incomplete);
  const armed: Armed[] = [];
  try {
    for (const namespace of namespaces) armed.push(armNamespace(tracing, namespace, match, incomplete));
  } catch (error) {
    closeAll(packets, armed);
    throw error;
  }
  return new ReadObservation(tracing, { packets, armed, match, incomplete });
}

interface Parts {
  packets: ObservedPackets;
  armed: Armed[];
  match: TraceMatch;
  incomplete: string[];
}

class ReadObservation implements LiveObservation {
  readonly #tracing: PacketTracing;
  readonly #parts: Parts;
  #packets: LivePacket[] = [];
  /** Packets and drops before the last poll. */
  #older = { packets: 0, drops: 0 };
  #drops: ObservedDrop[] = [];
  #messages: RuleTraceMessage[][];
  #countedAt = performance.now();

  constructor(tracing: PacketTracing, parts: Parts) {
    this.#tracing = tracing;
    this.#parts = parts;
    this.#messages = parts.armed.map(() => []);
  }

  async poll(): Promise<LivePacket[]> {
    const { packets, armed, incomplete } = this.#parts;
    const seen = await packets.read(incomplete);
    this.#older = { packets: this.#packets.length, drops: this.#drops.length };
    this.#packets.push(...seen.packets);
    this.#drops.push(...seen.drops);
    // Read after the packets, so that those of a packet are there when it is.
    const messages = armed.map(({ rules }) => rules?.read() ?? []);
    this.#messages = this.#messages.map((known, index) => [...known, ...(messages[index] ?? [])]);
    return seen.packets;
  }

  forget(): void {
    // Namespaces and rules are read one after the other: a connection may have begun meanwhile.
    this.#packets.splice(0, this.#older.packets);
    this.#drops.splice(0, this.#older.drops);
    this.#messages = this.#messages.map((known) => known.slice(-keptMessages));
    if (performance.now() - this.#countedAt < countersMs) return;
    this.#countedAt = performance.now();
    for (const one of this.#parts.armed) one.before = this.#count(one.namespace);
  }

  #count({ name, path }: HostNamespace): Armed['before'] {
    try {
      return this.#tracing.readCounters(path);
    } catch (cause) {
      throw new NetyardError('unavailable', `${name} has ended, so no packet of it will come`, { cause });
    }
  }

  async collect(first: LivePacket): Promise<Awaited<ReturnType<LiveObservation['collect']>>> {
    await this.poll();
    const flow = flowOf(this.#parts.match, first.packet.headers);
    const isOfFlow = (headers: PacketHeaders): boolean => isOfProbe(headers, flow) !== false;
    const packets = this.#packets.filter(({ packet }) => isOfFlow(packet.headers));
    const drops = this.#drops.filter(({ drop }) => isOfFlow(drop.headers));
    const armed = this.#parts.armed.map(({ rules, ...one }, index) => ({
      ...one,
      rules: rules && { incomplete: rules.incomplete, read: () => messagesOf(this.#messages[index] ?? [], isOfFlow) },
    }));
    const context = { match: flow, startNs: first.packet.time, incomplete: [...new Set(this.#parts.incomplete)] };
    return await collectEvidence(this.#tracing, armed, async () => ({ packets, drops }), context);
  }

  close(): void {
    closeAll(this.#parts.packets, this.#parts.armed);
  }
}

/** The packets of one connection, by the port of the client; of one ping, by its identifier. */
export function flowOf({ servicePorts: _, ...match }: TraceMatch, { sourcePort, icmp }: PacketHeaders): TraceMatch {
  return { ...match, id: (match.protocol === 'icmp' ? icmp?.id : sourcePort) ?? 0 };
}

/** Those without headers belong to the packet of the last one with the same id that has some. */
function messagesOf(
  messages: readonly RuleTraceMessage[],
  isOfFlow: (headers: PacketHeaders) => boolean,
): RuleTraceMessage[] {
  const isOurs = new Map<number, boolean>();
  return messages.filter(({ traceId, headers }) => {
    if (headers !== undefined) isOurs.set(traceId, isOfFlow(headers));
    return isOurs.get(traceId) ?? false;
  });
}
