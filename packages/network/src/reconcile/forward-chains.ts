/** Reads other programs' chains for the analysis of firewall/forward-blocks.ts: those jumped to, and iptables-legacy's. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { TimeSlice } from '@netyard/core';
import type { Kernel, ObservedNftChain } from '@netyard/kernel';
import { findJumps, foreignBases } from '../firewall/foreign.ts';
import type { ForwardBlock, ForwardChain } from '../firewall/forward-blocks.ts';
import { parseLegacyTables } from '../firewall/legacy-rules.ts';

/** Each chain costs a request: of a ruleset with more, the rest counts as unknown. */
const maximumChains = 200;

/** Chains of the same tables that packets reach from foreign base chains. */
export async function readReachedChains(
  kernel: Pick<Kernel, 'listNftChain'>,
  bases: readonly ObservedNftChain[],
  dockerUser: ObservedNftChain | undefined,
): Promise<ObservedNftChain[]> {
  const found = new Map<string, ObservedNftChain>();
  const keyOf = (one: Pick<ObservedNftChain, 'family' | 'table' | 'chain'>): string =>
    `${one.family} ${one.table} ${one.chain}`;
  if (dockerUser) found.set(keyOf(dockerUser), dockerUser);
  const queue = foreignBases({ bases });
  const asked = new Set<string>();
  const slice = new TimeSlice();
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const { family, table } = next;
    for (const chain of next.rules.flatMap(findJumps)) {
      const name = { family, table, chain };
      if (asked.has(keyOf(name)) || asked.size >= maximumChains) continue;
      asked.add(keyOf(name));
      if (slice.isOver) await slice.next(); // requests to the kernel block
      const reached = found.get(keyOf(name)) ?? (await kernel.listNftChain(name));
      if (!reached) continue;
      found.set(keyOf(name), reached);
      queue.push(reached);
    }
  }
  return [...found.values()];
}

// iptables-legacy

export const legacyName = 'iptables-legacy';

/** Lists the tables that are in use. */
export const legacyNamesFile = '/proc/net/ip_tables_names';

export interface LegacyTables {
  chains: ForwardChain[];
  /** Why the rules of tables in use cannot be read. */
  unknown?: string;
}

/** Only tables in use: a tool that lists another table creates it. */
export async function readLegacyTables(namesFile: string): Promise<LegacyTables> {
  const names = readTableNames(namesFile);
  if (names === undefined) return { chains: [], unknown: `${namesFile} cannot be read` };
  const forwarding = names.filter((name) => ['filter', 'mangle', 'security'].includes(name));
  const chains: ForwardChain[] = [];
  for (const table of forwarding) {
    const listing = await saveTable(table);
    if (listing === undefined) return { chains, unknown: `iptables-legacy-save cannot list its table ${table}` };
    chains.push(...parseLegacyTables(listing));
  }
  return { chains };
}

export const unknownLegacyBlock = (reason: string): ForwardBlock => ({
  kind: 'unknown',
  chain: `${legacyName} FORWARD`,
  bridges: [],
  reason,
  fix: 'as root with iptables-legacy-save installed (Debian: `apt-get install iptables`), run `netyard doctor`',
});

function readTableNames(path: string): string[] | undefined {
  try {
    return readFileSync(path, 'utf8').split('\n').filter(Boolean);
  } catch (error) {
    return isMissing(error) ? [] : undefined; // no file without the legacy modules
  }
}

const isMissing = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'ENOENT';

/** Undefined when the tool is missing or fails. */
function saveTable(table: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const options = { env: { PATH: '/usr/local/sbin:/usr/sbin:/sbin' }, timeout: 5000, maxBuffer: 64 * 1024 * 1024 };
    execFile('iptables-legacy-save', ['-t', table], options, (error, stdout) => resolve(error ? undefined : stdout));
  });
}
