/** Keeps the accept rules for our bridges in other programs' forward chains, and knows which of those cut us off. */
import { readFileSync } from 'node:fs';
import type { Logger } from '@netyard/core';
import { messageOf } from '@netyard/core';
import type { Kernel, KernelOperation, NftRuleObject } from '@netyard/kernel';
import type { NetworkRecord, NetworkSettings } from '../contract.ts';
import {
  dockerUserChain,
  type ForeignChains,
  findBlocks,
  findStaleRules,
  planForeignRules,
} from '../firewall/foreign.ts';
import type { Sandbox } from '../lookup.ts';
import { bridgeOf } from '../lookup.ts';

/** What the functions of this file work on. */
export interface ForeignRulesDependencies {
  readonly kernel: Kernel;
  readonly settings: NetworkSettings;
  readonly logger: Logger;
  readonly networks: Map<string, NetworkRecord>;
  readonly sandboxes: Map<string, Sandbox>;
  mtuLimit: number | undefined;
  foreign: { rules: readonly NftRuleObject[]; blocks: readonly string[] };
}

export async function readForeignChains({ kernel }: ForeignRulesDependencies): Promise<ForeignChains> {
  return {
    bases: await kernel.listNftBaseChains('forward'),
    dockerUser: await kernel.listNftChain(dockerUserChain),
  };
}

const bridgesOf = (context: ForeignRulesDependencies): string[] =>
  [...context.networks.keys()].flatMap((id) => bridgeOf(context, id)?.link ?? []);

/** Adds what is missing, deletes what is stale, and logs a chain that newly cuts us off. Returns what it did. */
export async function reconcileForeignRules(context: ForeignRulesDependencies): Promise<KernelOperation[]> {
  const { kernel, settings } = context;
  const view = await readForeignChains(context);
  const bridges = bridgesOf(context);
  const rules = settings.foreignFirewall === false ? [] : planForeignRules(view, bridges);
  const stale = findStaleRules(view, rules);
  const removed =
    stale.length === 0 ? [] : (await kernel.remove({ owner: 'foreign chains', objects: stale })).operations;
  const added = rules.length === 0 ? [] : (await kernel.apply({ owner: 'foreign chains', objects: rules })).operations;
  const operations = [...removed, ...added];
  const after = operations.length === 0 ? view : await readForeignChains(context);
  noteBlocks(context, findBlocks(after, bridges));
  context.foreign = { rules, blocks: findBlocks(after, bridges) };
  return operations;
}

function noteBlocks(context: ForeignRulesDependencies, blocks: readonly string[]): void {
  const isOff = context.settings.foreignFirewall === false;
  for (const block of blocks.filter((one) => !context.foreign.blocks.includes(one)))
    context.logger.warn('containers are cut off by a chain of another firewall', {
      chain: block,
      hint: isOff ? 'start the daemon without --foreign-firewall=false' : 'accept the bridge in that chain',
    });
}

/** nftables does not show the rules of iptables-legacy, which the kernel asks as well: only their presence is known. */
export function warnOfLegacyTables({ logger }: ForeignRulesDependencies): void {
  if (!readTableNames().includes('filter')) return;
  logger.warn('rules of iptables-legacy are in use: their FORWARD chain may cut containers off', {
    hint: 'run `netyard doctor`, which shows whether it does',
  });
}

function readTableNames(): string[] {
  try {
    return readFileSync('/proc/net/ip_tables_names', 'utf8').split('\n');
  } catch {
    return []; // without the legacy modules there is no such file
  }
}

/** For `docker info` and for whoever creates a container. */
export const foreignWarnings = ({ foreign }: ForeignRulesDependencies): string[] =>
  foreign.blocks.map((block) => `Published ports and outgoing traffic may not work: ${block}.`);

/** At the daemon's end, unless containers go on and need them. */
export async function releaseForeignRules(context: ForeignRulesDependencies): Promise<void> {
  const isUsed = [...context.sandboxes.values()].some(({ state }) => state !== undefined);
  if (isUsed || context.foreign.rules.length === 0) return;
  try {
    const stale = findStaleRules(await readForeignChains(context), []);
    if (stale.length > 0) await context.kernel.remove({ owner: 'foreign chains', objects: stale });
  } catch (error) {
    context.logger.error('rules in chains of other firewalls could not be removed', { error: messageOf(error) });
  }
}
