/** Translates what was read of the namespaces on a probe's way to the evidence of a trace. */
import { messageOf } from '@netyard/core';
import {
  compareCounters,
  type NamespaceCounters,
  type PacketHeaders,
  type PacketTracing,
  type RuleTrace,
  type RuleTraceMessage,
  type TraceMatch,
} from '@netyard/kernel';
import type { HostNamespace } from '@netyard/topology';
import type { CounterChange, KernelDrop, RuleVerdict, Sighting, TracePacket, TraceProtocol } from './model.ts';
import type { ObservedDrop, ObservedPacket, ObservedPackets } from './observed-packets.ts';
import type { Observation } from './tools.ts';

export interface Armed {
  namespace: HostNamespace;
  rules: RuleTrace | undefined;
  before: NamespaceCounters;
}

/** How what was read is translated. `incomplete`: what is not known, added to. */
export interface CollectContext {
  match: TraceMatch;
  startNs: bigint;
  incomplete: string[];
}

export type Collected = Awaited<ReturnType<Observation['collect']>>;

/** What was read of a namespace. */
interface ArmedRules extends Omit<Armed, 'rules'> {
  rules: Pick<RuleTrace, 'read' | 'incomplete'> | undefined;
}

export async function collectEvidence(
  tracing: PacketTracing,
  armed: readonly ArmedRules[],
  readPackets: ObservedPackets['read'],
  context: CollectContext,
): Promise<Collected> {
  const { incomplete } = context;
  const seen = await readPackets(incomplete);
  const sightings = sightingsOf(seen.packets, context);
  const verdicts = armed.flatMap(({ namespace, rules }) =>
    rules === undefined ? [] : verdictsOf(namespace, rules.read(), sightings, context.match),
  );
  for (const { namespace, rules } of armed)
    if (rules?.incomplete) incomplete.push(`some verdicts of ${namespace.name} were not seen`);
  const drops = seen.drops.map((drop) => dropOf(drop, context));
  const counters = armed.flatMap(({ namespace, before }) => readChanges(tracing, namespace, before, incomplete));
  return { sightings, verdicts, counters, drops, incomplete };
}

/** In their order. */
export const sightingsOf = (
  packets: Awaited<ReturnType<ObservedPackets['read']>>['packets'],
  context: CollectContext,
): Sighting[] =>
  packets.map(({ namespace, packet }) => sightingOf(namespace, packet, context)).sort((a, b) => a.atMs - b.atMs);

const udpNumber = 17;
const defaultVxlanPort = 4789;
const protocols: Readonly<Record<number, TraceProtocol>> = { 1: 'icmp', 6: 'tcp', 17: 'udp', 58: 'icmp' };

/** Inside a tunnel, the inner packet is the probe. */
const probeOf = (headers: PacketHeaders): PacketHeaders => headers.inner ?? headers;

/** Addresses and ports; those of the inner packet of a tunnel. */
export function packetOf(headers: PacketHeaders): TracePacket {
  const { source, destination, protocol, sourcePort, destinationPort } = probeOf(headers);
  return {
    protocol: protocols[protocol] ?? 'icmp',
    source,
    destination,
    ...(sourcePort === undefined ? {} : { sourcePort }),
    ...(destinationPort === undefined ? {} : { destinationPort }),
  };
}

/** A tunnel's packet: recorded headers of rule traces are too short for its contents. */
function outerOf(headers: PacketHeaders, { vxlanPorts = [defaultVxlanPort] }: TraceMatch): TracePacket | undefined {
  const { inner, ...outer } = headers;
  const isTunnel = headers.protocol === udpNumber && vxlanPorts.includes(headers.destinationPort ?? 0);
  return inner !== undefined || isTunnel ? packetOf(outer) : undefined;
}

/** Echo replies (RFC 792, RFC 4443), errors about the probe, and packets to the probe's own port. */
export function isAnswerTo(match: TraceMatch, headers: PacketHeaders): boolean {
  const { icmp, destinationPort } = probeOf(headers);
  if (icmp?.about !== undefined) return true;
  return match.protocol === 'icmp' ? icmp?.type === 0 || icmp?.type === 129 : destinationPort === match.id;
}

const letters: Readonly<Record<string, string>> = { FIN: 'F', SYN: 'S', RST: 'R', PSH: 'P', ACK: 'A', URG: 'U' };

/** As in `Sighting`. */
export function flagsOf(headers: PacketHeaders): string {
  const { tcp, icmp } = probeOf(headers);
  if (icmp?.about !== undefined) return `icmp:${icmp.type}/${icmp.code}`;
  return (tcp?.flags ?? []).map((flag) => letters[flag] ?? '').join('');
}

function sightingOf(namespace: HostNamespace, packet: ObservedPacket, context: CollectContext): Sighting {
  const { headers, link, direction } = packet;
  const outer = outerOf(headers, context.match);
  return {
    namespaceId: namespace.id,
    link,
    direction: direction === 'out' ? 'out' : 'in',
    ...describe(packet.time, headers, context),
    ...(direction === 'other' ? { otherHost: true } : {}),
    ...(outer === undefined ? {} : { outer }),
  };
}

const describe = (time: bigint, headers: PacketHeaders, { match, startNs }: CollectContext) => ({
  // The clocks of this process and of the kernel's time stamps may differ by microseconds.
  atMs: Math.max(0, Number(time - startNs) / 1e6),
  packet: packetOf(headers),
  isAnswer: isAnswerTo(match, headers),
  flags: flagsOf(headers),
});

const dropOf = ({ namespace, drop }: ObservedDrop, context: CollectContext): KernelDrop => ({
  namespaceId: namespace.id,
  reason: drop.reason,
  ...describe(drop.time, drop.headers, context),
  ...(drop.link === '' ? {} : { link: drop.link }),
  ...(drop.location === undefined ? {} : { location: drop.location }),
});

/** What the first message of each base chain has. */
interface PacketContext {
  input?: string;
  output?: string;
  flags: string;
  isAnswer: boolean;
  outer?: TracePacket;
}

function verdictsOf(
  namespace: HostNamespace,
  messages: readonly RuleTraceMessage[],
  sightings: readonly Sighting[],
  match: TraceMatch,
): RuleVerdict[] {
  const packets = new Map<number, PacketContext>();
  return messages.flatMap((message) => {
    const context = contextOf(packets.get(message.traceId), message, match);
    packets.set(message.traceId, context);
    const verdict = verdictKind(message);
    if (message.own || verdict === undefined) return [];
    const own = { ...context, isAnswer: isAnswerIn(namespace, context, sightings) };
    return [{ ...ruleOf(namespace, message, verdict), ...own, atMs: timeOf(namespace, own, sightings) }];
  });
}

function contextOf(before: PacketContext | undefined, message: RuleTraceMessage, match: TraceMatch): PacketContext {
  const { iif, oif, headers } = message;
  if (iif === undefined && oif === undefined && headers === undefined && before) return before;
  const outer = headers === undefined ? before?.outer : outerOf(headers, match);
  return {
    ...(iif === undefined ? {} : { input: iif }),
    ...(oif === undefined ? {} : { output: oif }),
    flags: headers === undefined ? (before?.flags ?? '') : flagsOf(headers),
    isAnswer: headers === undefined ? (before?.isAnswer ?? false) : isAnswerTo(match, headers),
    ...(outer === undefined ? {} : { outer }),
  };
}

/**
 * What a tunnel's packet contains is known where it was seen on the interface, or else from the packet that this namespace
 * sent last.
 */
function isAnswerIn(namespace: HostNamespace, context: PacketContext, sightings: readonly Sighting[]): boolean {
  if (context.outer === undefined) return context.isAnswer;
  const { input, output } = context;
  const own = sightings.filter(({ namespaceId }) => namespaceId === namespace.id);
  const same = own.find(({ outer, link, direction }) => outer && link === (direction === 'in' ? input : output));
  return (same ?? own.findLast(({ direction }) => direction === 'out'))?.isAnswer ?? false;
}

function ruleOf(
  namespace: HostNamespace,
  { family, table, chain, rule }: RuleTraceMessage,
  verdict: RuleVerdict['verdict'],
): Omit<RuleVerdict, 'atMs' | 'isAnswer' | 'flags'> {
  return {
    ...{ namespaceId: namespace.id, family, table, chain, verdict },
    ...(rule === undefined ? {} : { rule: rule.text ?? `handle ${rule.handle}` }),
    ...(rule?.comment === undefined ? {} : { comment: rule.comment }),
  };
}

/** Undefined for what decides nothing: the end of a chain, `continue`. `reject` is a drop for the kernel. */
function verdictKind({ verdict, rule, type }: RuleTraceMessage): RuleVerdict['verdict'] | undefined {
  if (verdict === 'drop') return /\breject\b|xt target "?REJECT/i.test(rule?.text ?? '') ? 'reject' : 'drop';
  if (verdict === 'accept' || verdict === 'queue') return verdict;
  return type === 'rule' ? 'continue' : undefined;
}

/** Messages have no time: that of the packet on the interface by which it came in, or will leave. */
function timeOf(namespace: HostNamespace, context: PacketContext, sightings: readonly Sighting[]): number {
  const own = sightings.filter((seen) => seen.namespaceId === namespace.id && seen.isAnswer === context.isAnswer);
  const input = own.find(({ link, direction }) => direction === 'in' && link === context.input);
  const output = own.find(({ link, direction }) => direction === 'out' && link === context.output);
  return input?.atMs ?? output?.atMs ?? own[0]?.atMs ?? 0;
}

/** A container may end while it is traced: what was seen before is reported all the same. */
function readChanges(
  tracing: PacketTracing,
  namespace: HostNamespace,
  before: NamespaceCounters,
  incomplete: string[],
): CounterChange[] {
  try {
    return changesOf(namespace, before, tracing.readCounters(namespace.path));
  } catch (error) {
    incomplete.push(`the counters of ${namespace.name} cannot be read: ${messageOf(error)}`);
    return [];
  }
}

function changesOf(namespace: HostNamespace, before: NamespaceCounters, after: NamespaceCounters): CounterChange[] {
  const changes = compareCounters(before, after);
  const of = (counter: string, change: bigint): CounterChange => ({
    ...{ namespaceId: namespace.id, counter, change: Number(change) },
  });
  const links = Object.entries(changes.links).flatMap(([link, drops]) =>
    Object.entries(drops).map(([name, change]) => of(`${link} ${snakeCase(name)}`, change)),
  );
  return [...Object.entries(changes.protocols).map(([name, change]) => of(name, change)), ...links];
}

/** `rxDropped`: `rx_dropped`, as in /sys/class/net/LINK/statistics. */
const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
