/** Reconciles accept rules for Netyard's bridges in other programs' forward chains, and detects chains that block them. */
import { readFileSync } from 'node:fs';
import { type Logger, messageOf } from '@netyard/core';
import type { Kernel, KernelOperation, NftRuleObject } from '@netyard/kernel';
import type { NetworkRecord, NetworkSettings } from '../contract.ts';
import {
  dockerUserChain,
  type ForeignChains,
  findBlocks,
  findStaleRules,
  planForeignRules,
} from '../firewall/foreign.ts';
import { bridgeOf, type Sandbox } from '../lookup.ts';

/** Dependencies of the functions in this file. */
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

/** Adds missing rules, deletes stale ones, and logs chains that newly block the bridges. Returns the operations. */
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
  logNewBlocks(context, findBlocks(after, bridges));
  context.foreign = { rules, blocks: findBlocks(after, bridges) };
  return operations;
}

function logNewBlocks(context: ForeignRulesDependencies, blocks: readonly string[]): void {
  const isOff = context.settings.foreignFirewall === false;
  for (const block of blocks.filter((one) => !context.foreign.blocks.includes(one)))
    context.logger.warn("another firewall's chain blocks container traffic", {
      chain: block,
      hint: isOff ? 'start the daemon without --foreign-firewall=false' : 'accept the bridge in that chain',
    });
}

/** nftables does not list rules of iptables-legacy, which the kernel also evaluates: only their presence is known. */
export function warnOfLegacyTables({ logger }: ForeignRulesDependencies): void {
  if (!readTableNames().includes('filter')) return;
  logger.warn('rules of iptables-legacy are in use: their FORWARD chain may block container traffic', {
    hint: 'run `netyard doctor` to check whether it does',
  });
}

function readTableNames(): string[] {
  try {
    return readFileSync('/proc/net/ip_tables_names', 'utf8').split('\n');
  } catch {
    return []; // the file does not exist without the legacy modules
  }
}

/** For `docker info` and the response of a container create. */
export const foreignWarnings = ({ foreign }: ForeignRulesDependencies): string[] =>
  foreign.blocks.map((block) => `Published ports and outgoing traffic may not work: ${block}.`);

/** Called when the daemon exits; keeps the rules while containers run that need them. */
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
