/** Reconciles accept rules for Netyard's bridges in other programs' forward chains, and detects chains that block them. */
import { type Logger, messageOf } from '@netyard/core';
import type { Kernel, KernelOperation, NftRuleObject } from '@netyard/kernel';
import type { Attachments } from '../attachments.ts';
import type { NetworkRecord, NetworkSettings } from '../contract.ts';
import {
  dockerUserChain,
  type ForeignChains,
  findBlocks,
  findStaleRules,
  planForeignRules,
} from '../firewall/foreign.ts';
import { describeBlock, type ForwardBlock, findForwardBlocks } from '../firewall/forward-blocks.ts';
import { bridgeOf } from '../lookup.ts';
import {
  legacyName,
  legacyNamesFile,
  readLegacyTables,
  readReachedChains,
  unknownLegacyBlock,
} from './forward-chains.ts';

/** Dependencies of the functions in this file. */
export interface ForeignRulesDependencies {
  readonly kernel: Kernel;
  readonly settings: NetworkSettings;
  readonly logger: Logger;
  readonly networks: Map<string, NetworkRecord>;
  readonly attachments: Attachments;
  mtuLimit: number | undefined;
  foreign: { rules: readonly NftRuleObject[]; blocks: readonly string[] };
}

export async function readForeignChains({ kernel }: Pick<ForeignRulesDependencies, 'kernel'>): Promise<ForeignChains> {
  const bases = await kernel.listNftBaseChains('forward');
  const dockerUser = await kernel.listNftChain(dockerUserChain);
  return { bases, dockerUser, reached: await readReachedChains(kernel, bases, dockerUser) };
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
  const found = [...findBlocks(after, bridges), ...(await findLegacyBlocks(bridges, settings.legacyTables))];
  // With accept rules in place, conditional rules before them are the administrator's intention.
  const blocks = found.filter(({ kind }) => kind !== 'may-drop' || settings.foreignFirewall === false);
  logNewBlocks(context, blocks);
  context.foreign = { rules, blocks: blocks.map(describeBlock) };
  return operations;
}

/** What drops packets of the bridges in other programs' forward chains, of nf_tables and of iptables-legacy. */
export async function findForwardingBlocks(kernel: Kernel, bridges: readonly string[]): Promise<ForwardBlock[]> {
  return [...findBlocks(await readForeignChains({ kernel }), bridges), ...(await findLegacyBlocks(bridges))];
}

async function findLegacyBlocks(bridges: readonly string[], namesFile = legacyNamesFile): Promise<ForwardBlock[]> {
  const legacy = await readLegacyTables(namesFile);
  return legacy.unknown === undefined
    ? findForwardBlocks(legacy.chains, bridges)
    : [unknownLegacyBlock(legacy.unknown)];
}

function logNewBlocks(context: ForeignRulesDependencies, blocks: readonly ForwardBlock[]): void {
  for (const block of blocks) {
    const chain = describeBlock(block);
    if (context.foreign.blocks.includes(chain)) continue;
    const message = block.chain.startsWith(legacyName)
      ? 'rules of iptables-legacy may block container traffic'
      : "another firewall's chain blocks container traffic";
    context.logger.warn(message, { chain, hint: block.fix });
  }
}

/** For `docker info` and the response of a container create. */
export const foreignWarnings = ({ foreign }: ForeignRulesDependencies): string[] =>
  foreign.blocks.map((block) => `Published ports and outgoing traffic may not work: ${block}.`);

/** Called when the daemon exits; keeps the rules while containers run that need them. */
export async function releaseForeignRules(context: ForeignRulesDependencies): Promise<void> {
  const isUsed = context.attachments.running().length > 0;
  if (isUsed || context.foreign.rules.length === 0) return;
  try {
    const stale = findStaleRules(await readForeignChains(context), []);
    if (stale.length > 0) await context.kernel.remove({ owner: 'foreign chains', objects: stale });
  } catch (error) {
    context.logger.error('rules in chains of other firewalls could not be removed', { error: messageOf(error) });
  }
}
