/**
 * Rules of iptables-legacy and ip6tables-legacy that drop packets, and how often they did. nft does not trace them, but
 * `iptables-legacy-save -c` (iptables-save(8)) prints their counters.
 */
import { execFile } from 'node:child_process';
import type { HostNamespace } from '@netyard/topology';
import type { LegacyDrop } from './model.ts';
import type { Observation } from './tools.ts';

/** A rule or a policy that drops, with the packets that it dropped until now. */
export type LegacyCounter = Omit<LegacyDrop, 'namespaceId'>;

/**
 * Bytes of a listing, some 15,000 rules. A container with CAP_NET_ADMIN chooses how many rules its namespace has, and a longer
 * listing would delay the daemon that traces for a peer.
 */
const maxListing = 1 << 20;
/** A rule's own specification: `-i eth0 -p tcp -j DROP`. */
const dropping = /(?:^| )-[jg] (DROP|REJECT)\b/;

/** Of a listing with counters: `[12:720] -A FORWARD -i eth0 -j DROP`, `:INPUT DROP [3:180]`. Pure. */
export function parseLegacyCounters(listing: string, family: 4 | 6): LegacyCounter[] {
  let table = '';
  const counters: LegacyCounter[] = [];
  for (const line of listing.split('\n')) {
    table = /^\*(\S+)/.exec(line)?.[1] ?? table;
    const [, policyChain, policyPackets] = /^:(\S+) DROP \[(\d+):\d+\]/.exec(line) ?? [];
    const [, packets, chain, rule] = /^\[(\d+):\d+\] -A (\S+) (.*)$/.exec(line) ?? [];
    if (policyChain !== undefined) counters.push({ family, table, chain: policyChain, packets: Number(policyPackets) });
    if (chain !== undefined && rule !== undefined && dropping.test(rule))
      counters.push({ family, table, chain, rule, packets: Number(packets) });
  }
  return counters;
}

const identityOf = ({ family, table, chain, rule = '' }: LegacyCounter): string =>
  `${family} ${table} ${chain} ${rule}`;

/** What dropped since. Equal rules are matched by their order. Pure. */
export function compareLegacyCounters(
  before: readonly LegacyCounter[],
  after: readonly LegacyCounter[],
): LegacyCounter[] {
  const former = Map.groupBy(before.toReversed(), identityOf);
  return after.flatMap((counter) => {
    const packets = counter.packets - (former.get(identityOf(counter))?.pop()?.packets ?? 0);
    return packets > 0 ? [{ ...counter, packets }] : [];
  });
}

/**
 * An observation that also says which of these rules dropped packets since. Nothing more is done where no namespace has tables
 * of iptables-legacy: most have none.
 * @param open called after the counters were read
 */
export async function withLegacyRules(
  namespaces: readonly HostNamespace[],
  open: () => Observation,
): Promise<Observation> {
  const withTables = namespaces.filter(({ legacyTables }) => legacyTables.length > 0);
  if (withTables.length === 0) return open();
  const read = () => Promise.all(withTables.map(readCounters));
  const before = await read();
  const observation = open();
  return {
    start: () => observation.start(),
    peek: () => observation.peek(),
    reduce: () => observation.reduce(),
    close: () => observation.close(),
    collect: async () => {
      const [seen, after] = await Promise.all([observation.collect(), read()]);
      const drops = withTables.map(({ id: namespaceId }, index) =>
        compareLegacyCounters(before[index] ?? [], after[index] ?? []).map((one) => ({ namespaceId, ...one })),
      );
      return { ...seen, legacyDrops: drops.flat() };
    },
  };
}

async function readCounters(namespace: HostNamespace): Promise<LegacyCounter[]> {
  const families = new Set(namespace.legacyTables.map((table) => (table.startsWith('ip6 ') ? 6 : 4)));
  const listings = [...families].map(async (family) => {
    const program = family === 6 ? 'ip6tables-legacy-save' : 'iptables-legacy-save';
    return parseLegacyCounters(await list(namespace, program), family);
  });
  return (await Promise.all(listings)).flat();
}

/** Empty where the program is not installed or fails, or lists too much: the trace says then that the rules exist, without naming one. */
function list({ path, isHost }: HostNamespace, program: string): Promise<string> {
  const command = [...(isHost ? [] : ['nsenter', `--net=${path}`]), program, '-c'];
  const [file = '', ...args] = command;
  return new Promise((resolve) =>
    execFile(file, args, { timeout: 5_000, maxBuffer: maxListing }, (error, stdout) => resolve(error ? '' : stdout)),
  );
}
