/** Reconciles accept rules for Netyard's bridges in other programs' forward chains, and detects chains that block them. */
import { type Logger, messageOf } from '@netyard/core';
import type { Kernel, KernelOperation, NftRuleObject } from '@netyard/kernel';
import type { Attachments } from '../attachments.ts';
import type { Family, NetworkRecord, NetworkSettings } from '../contract.ts';
import {
  dockerUserChain,
  type ForeignChains,
  findBlocks,
  findStaleRules,
  planForeignRules,
} from '../firewall/foreign.ts';
import { describeBlock, type ForwardBlock, findForwardBlocks } from '../firewall/forward-blocks.ts';
import { tableFamilies } from '../firewall/table.ts';
import { bridgeOf } from '../lookup.ts';
import type { BridgeSettings, HostFacts } from '../model.ts';
import { usesIpv6 } from '../plan/host.ts';
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
  facts: HostFacts;
}

/** The chains that packets of a family traverse; those of family `inet` are listed with IPv4. */
export async function readForeignChains(
  { kernel }: Pick<ForeignRulesDependencies, 'kernel'>,
  version: Family,
): Promise<ForeignChains> {
  const bases = await kernel.listNftBaseChains('forward', version === 'v4' ? ['ip', 'inet'] : ['ip6']);
  const dockerUser = await kernel.listNftChain({ family: tableFamilies[version], ...dockerUserChain });
  return { bases, dockerUser, reached: await readReachedChains(kernel, bases, dockerUser) };
}

/** Chains, and the bridges whose packets traverse them. */
interface ForeignView {
  view: ForeignChains;
  bridges: string[];
}

/** Chains of family `ip6` only where a network has IPv6. */
async function readViews(context: ForeignRulesDependencies): Promise<ForeignView[]> {
  const bridges = [...context.networks.keys()].flatMap((id) => bridgeOf(context, id) ?? []);
  const linksOf = (some: readonly BridgeSettings[]): string[] => some.map(({ link }) => link);
  const views = [{ view: await readForeignChains(context, 'v4'), bridges: linksOf(bridges) }];
  if (!usesIpv6(context.facts)) return views;
  const withIpv6 = bridges.filter(({ v6 }) => v6 !== undefined);
  return [...views, { view: await readForeignChains(context, 'v6'), bridges: linksOf(withIpv6) }];
}

const findAllBlocks = (views: readonly ForeignView[]): ForwardBlock[] =>
  views.flatMap(({ view, bridges }) => findBlocks(view, bridges));

/** Adds missing rules, deletes stale ones, and logs chains that newly block the bridges. Returns the operations. */
export async function reconcileForeignRules(context: ForeignRulesDependencies): Promise<KernelOperation[]> {
  const { kernel, settings } = context;
  const views = await readViews(context);
  const isOff = settings.foreignFirewall === false;
  const rules = isOff ? [] : views.flatMap(({ view, bridges }) => planForeignRules(view, bridges));
  const stale = views.flatMap(({ view }) => findStaleRules(view, rules));
  const removed =
    stale.length === 0 ? [] : (await kernel.remove({ owner: 'foreign chains', objects: stale })).operations;
  const added = rules.length === 0 ? [] : (await kernel.apply({ owner: 'foreign chains', objects: rules })).operations;
  const operations = [...removed, ...added];
  const after = operations.length === 0 ? views : await readViews(context);
  const bridges = views[0]?.bridges ?? [];
  const found = [...findAllBlocks(after), ...(await findLegacyBlocks(bridges, settings.legacyTables))];
  // With accept rules in place, conditional rules before them are the administrator's intention.
  const blocks = found.filter(({ kind }) => kind !== 'may-drop' || isOff);
  logNewBlocks(context, blocks);
  context.foreign = { rules, blocks: blocks.map(describeBlock) };
  return operations;
}

/** What drops packets of the bridges in other programs' forward chains, of nf_tables and of iptables-legacy. */
export async function findForwardingBlocks(kernel: Kernel, bridges: readonly string[]): Promise<ForwardBlock[]> {
  return [...findBlocks(await readForeignChains({ kernel }, 'v4'), bridges), ...(await findLegacyBlocks(bridges))];
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
    const stale = (await readViews(context)).flatMap(({ view }) => findStaleRules(view, []));
    if (stale.length > 0) await context.kernel.remove({ owner: 'foreign chains', objects: stale });
  } catch (error) {
    context.logger.error('rules in chains of other firewalls could not be removed', { error: messageOf(error) });
  }
}
