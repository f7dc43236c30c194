/** Causes that no packet and no verdict shows: full connection tracking, rules of iptables-legacy. Pure. */
import { commandLine } from '../command-line.ts';
import type { LegacyDrop, TraceEvidence, TracePacket } from '../model.ts';
import {
  answers,
  type CauseFinder,
  commandIn,
  forward,
  growthOf,
  namespaceOf,
  notReached,
  placeName,
  type TraceCase,
} from './case.ts';

/** New connections are dropped before any rule when the table is full. */
export const conntrackFull: CauseFinder = (trace) => {
  const { evidence, topology } = trace;
  const { conntrack } = evidence ?? {};
  if (evidence?.probe.outcome === 'answered' || conntrack === undefined) return undefined;
  const full = topology.namespaces.find(({ id }) => growthOf(trace, id, /^Conntrack\.(drop|early_drop)$/) > 0);
  if (full === undefined || conntrack.entries < conntrack.limit) return undefined;
  const { entries, limit } = conntrack;
  return notReached(
    'conntrack-full',
    `Dropped at ${placeName(trace, full.id)} before the rules: ${entries} of ${limit} connections.`,
    { fix: `sysctl -w net.netfilter.nf_conntrack_max=${limit * 2}` },
  );
};

/** Where the probe, and its answer, were seen last: a packet that is dropped on its way out was not seen at all. */
function lastPackets(trace: TraceCase, evidence: TraceEvidence): { namespaceId: string; packet: TracePacket }[] {
  const { from, packet } = trace;
  const sent = from.namespace === undefined ? [] : [{ namespaceId: from.namespace.id, packet }];
  const last = forward(evidence).at(-1);
  const answer = answers(evidence).at(-1);
  return [...(answer ? [answer] : []), ...(last ? [last] : sent)];
}

/**
 * A rule of iptables-legacy whose counter grew, where the probe was seen last. Other packets may have done that, unless it is
 * the only one.
 */
export const droppedByLegacyRule: CauseFinder = (trace) => {
  const { evidence } = trace;
  if (evidence === undefined || evidence.probe.outcome === 'answered') return undefined;
  for (const { namespaceId, packet } of lastPackets(trace, evidence)) {
    const [drop, ...others] = (evidence.legacyDrops ?? []).filter((one) => one.namespaceId === namespaceId);
    if (drop === undefined || others.length > 0) continue;
    return notReached(
      'iptables-legacy',
      `Dropped at ${placeName(trace, namespaceId)} by ${legacyRuleText(drop)} of iptables-legacy ${drop.table} ${drop.chain}.`,
      { grade: 'inferred', fix: commandIn(trace, namespaceId, acceptBefore(drop, packet)) },
    );
  }
  return undefined;
};

const legacyRuleText = ({ rule }: LegacyDrop): string => (rule === undefined ? 'the policy' : `the rule "${rule}"`);

/** At the head of the chain, so that only this traffic is accepted. */
function acceptBefore({ family, table, chain }: LegacyDrop, packet: TracePacket): string {
  const { source, destination, destinationPort, protocol } = packet;
  const program = family === 6 ? 'ip6tables-legacy' : 'iptables-legacy';
  const name = protocol === 'icmp' && family === 6 ? 'ipv6-icmp' : protocol;
  return [
    commandLine`${program} -t ${table} -I ${chain}`,
    ...(source === undefined ? [] : [commandLine`-s ${source}`]),
    commandLine`-d ${destination} -p ${name}`,
    ...(destinationPort === undefined ? [] : [commandLine`--dport ${destinationPort}`]),
    '-j ACCEPT',
  ].join(' ');
}

/** nft does not trace the rules of iptables-legacy: the packet entered the host, and did not leave it. */
export const legacyRules: CauseFinder = (trace) => {
  const { evidence, path } = trace;
  if (evidence === undefined || evidence.probe.outcome === 'answered') return undefined;
  const last = forward(evidence).at(-1);
  const namespace = last && namespaceOf(trace, last.namespaceId);
  if (last?.direction !== 'in' || !namespace?.isHost || namespace.legacyTables.length === 0) return undefined;
  const isInput = path.end.kind === 'delivered' && path.end.namespaceId === namespace.id;
  const [hook, chain] = isInput ? ['input', 'INPUT'] : ['forward', 'FORWARD'];
  const tables = namespace.legacyTables.join(', ');
  return notReached(
    'iptables-legacy',
    `Dropped at ${placeName(trace, namespace.id)} in ${hook}, probably by iptables-legacy, which has rules in ${tables}.`,
    { grade: 'inferred', fix: `iptables-legacy -S ${chain}` },
  );
};
