/** Causes that no packet and no verdict shows: full connection tracking, rules of iptables-legacy. Pure. */
import { type CauseFinder, forward, growthOf, namespaceOf, notReached, placeName } from './case.ts';

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
