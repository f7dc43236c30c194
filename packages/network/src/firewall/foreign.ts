/**
 * Plans accept rules in forward chains of other programs (Docker, ufw, firewalld, iptables). Every base chain has to
 * accept a packet, so a foreign chain that drops by default disconnects containers; two accept rules for each bridge
 * prevent that. They accept in that chain only: Netyard's forward chain still drops unpublished traffic. Pure.
 */
import type { NftRuleObject, ObservedNftChain, ObservedNftRule } from '@netyard/kernel';
import { ownerPrefix } from '../object-names.ts';
import { type ForwardBlock, findForwardBlocks, forwardChainOfNft } from './forward-blocks.ts';
import { essence, isStop } from './forward-rule.ts';
import { guardName } from './guard.ts';
import { tableName } from './table.ts';

export interface ForeignChains {
  /** All base chains at the forward hook. */
  bases: readonly ObservedNftChain[];
  /** Docker's chain for rules of the host's administrator, such as `ip filter DOCKER-USER`. */
  dockerUser: ObservedNftChain | undefined;
  /** Chains that the rules of the base chains pass packets to; may contain others. */
  reached: readonly ObservedNftChain[];
}

export const dockerUserChain = { table: 'filter', chain: 'DOCKER-USER' } as const;

/** Selects the chains of a whole ruleset that packets of IPv4 traverse. */
export const selectForeignChains = (chains: readonly ObservedNftChain[]): ForeignChains => ({
  bases: chains.filter(({ hook, family }) => hook === 'forward' && (family === 'ip' || family === 'inet')),
  dockerUser: chains.find(
    ({ family, table, chain }) => family === 'ip' && table === dockerUserChain.table && chain === dockerUserChain.chain,
  ),
  reached: chains.filter(({ hook }) => hook === undefined),
});

/** Base chains outside Netyard's tables. */
export const foreignBases = ({ bases }: Pick<ForeignChains, 'bases'>): ObservedNftChain[] =>
  bases.filter(({ table }) => table !== tableName && table !== guardName);

// Rules

export const isMarked = ({ comment }: ObservedNftRule): boolean => comment?.startsWith(ownerPrefix) ?? false;

/** Whether a packet may be dropped: by the rule, or by a chain or program that it passes the packet to. */
const mayStop = (rule: ObservedNftRule): boolean =>
  !isMarked(rule) && /\b(?:drop|reject|jump|goto|queue|vmap|xt)\b/.test(rule.text.replace(/"[^"]*"/g, ''));

const mayDrop = (chain: ObservedNftChain): boolean => chain.policy === 'drop' || chain.rules.some(mayStop);

/** Index of the first match, or past the end. */
function firstIndex(rules: readonly ObservedNftRule[], matches: (rule: ObservedNftRule) => boolean): number {
  const index = rules.findIndex(matches);
  return index < 0 ? rules.length : index;
}

// Decisions

/** The accept rules of these bridges, for each foreign forward chain that may drop. */
export function planForeignRules(view: ForeignChains, bridges: readonly string[]): NftRuleObject[] {
  return foreignBases(view)
    .filter(mayDrop)
    .flatMap((base) => {
      const { chain, position } = placeIn(view, base);
      const effective = chain.rules.slice(0, firstIndex(chain.rules, isStop));
      return bridges
        .flatMap((bridge) => rulesOf(bridge))
        .filter(({ rule }) => !effective.some((other) => !isMarked(other) && essence(other) === rule))
        .map((rule) => ({ ...nameOf(chain), ...rule, position }));
    });
}

const nameOf = ({ family, table, chain }: ObservedNftChain) => ({ kind: 'nft-rule', family, table, chain }) as const;

const rulesOf = (bridge: string): { rule: string; comment: string }[] => [
  { rule: `iifname "${bridge}" accept`, comment: `${ownerPrefix}from ${bridge}` },
  { rule: `oifname "${bridge}" accept`, comment: `${ownerPrefix}to ${bridge}` },
];

/**
 * DOCKER-USER, after the administrator's rules, where the chain passes packets to it; otherwise the head of the chain
 * itself.
 */
function placeIn(
  { dockerUser }: ForeignChains,
  base: ObservedNftChain,
): { chain: ObservedNftChain; position: NonNullable<NftRuleObject['position']> } {
  const jump = base.rules.findIndex(isDockerJump);
  const isReached = jump >= 0 && jump < firstIndex(base.rules, isStop);
  if (!dockerUser || !isReached || base.family !== dockerUser.family || base.table !== dockerUser.table)
    return { chain: base, position: 'first' };
  const end = dockerUser.rules.find((rule) => essence(rule) === 'return')?.handle;
  return { chain: dockerUser, position: end === undefined ? 'last' : { before: end } };
}

const isDockerJump = (rule: ObservedNftRule): boolean => essence(rule) === `jump ${dockerUserChain.chain}`;

/**
 * Marked rules that are not desired, and desired ones after an unconditional drop. The administrator's own drop in
 * DOCKER-USER is respected.
 */
export function findStaleRules(view: ForeignChains, desired: readonly NftRuleObject[]): NftRuleObject[] {
  const chains = [...foreignBases(view), ...(view.dockerUser ? [view.dockerUser] : [])];
  return chains.flatMap((chain) => {
    const stop = firstIndex(chain.rules, isStop);
    return chain.rules.flatMap((rule, index) => {
      if (!isMarked(rule)) return [];
      const object = { ...nameOf(chain), rule: rule.text, comment: rule.comment ?? '' };
      const isDesired = desired.some((one) => sameRule(one, object));
      return isDesired && (index < stop || chain === view.dockerUser) ? [] : [object];
    });
  });
}

const sameRule = (one: NftRuleObject, other: NftRuleObject): boolean =>
  one.family === other.family &&
  one.table === other.table &&
  one.chain === other.chain &&
  one.comment === other.comment;

/** What drops the bridges' packets in chains of nf_tables. */
export function findBlocks(view: ForeignChains, bridges: readonly string[]): ForwardBlock[] {
  return findForwardBlocks([...foreignBases(view), ...view.reached].map(forwardChainOfNft), bridges);
}

/** Names of the chains of the same table that a rule passes packets to. */
export const findJumps = ({ text }: ObservedNftRule): string[] =>
  [...text.replace(/"[^"]*"/g, '""').matchAll(/\b(?:jump|goto) ([^\s,}]+)/g)].map(([, chain = '']) => chain);
