/** Lists chains of any table: base chains at a hook, and the rules of one chain with their handles. */
import { isNetyardError } from '@netyard/core';
import type { ObservedNftChain, ObservedNftRule } from '../../contract.ts';
import type { NftFamily } from '../../desired.ts';
import { hasErrno } from '../../system/ffi/errno.ts';
import type { NetlinkSocket } from '../socket.ts';
import { type NftContext, nftOutput } from './context.ts';
import { chainSpec, type NftChainName } from './rule.ts';
import { mayHaveXtComments, readXtComments } from './xt-comments.ts';

const printableFamilies: readonly string[] = ['ip', 'ip6', 'inet', 'bridge', 'arp', 'netdev'];

/** Parses the output of `nft list chains`, `nft list chain` or `nft list ruleset`, with `-a` or without. Pure. */
export function parseChains(listing: string): ObservedNftChain[] {
  const chains: ObservedNftChain[] = [];
  let table: { family: NftFamily; name: string } | undefined;
  let current: ObservedNftChain | undefined;
  for (const text of listing.split('\n')) {
    const opened = /^table (\S+) (\S+) \{/.exec(text);
    if (opened) table = toTable(opened[1], opened[2]);
    const chain = /^\tchain (\S+) \{/.exec(text)?.[1];
    if (chain !== undefined && table) {
      current = { family: table.family, table: table.name, chain, rules: [] };
      chains.push(current);
    } else if (/^\t\S/.test(text)) current = undefined;
    else if (current && text.startsWith('\t\t')) readLine(current, text.trim());
  }
  return chains;
}

const toTable = (family = '', name = ''): { family: NftFamily; name: string } | undefined =>
  printableFamilies.includes(family) ? { family: family as NftFamily, name } : undefined;

function readLine(chain: ObservedNftChain, line: string): void {
  const hook = /^type \S+ hook (\S+) .*?(?:policy (accept|drop);)?$/.exec(line);
  if (hook) {
    chain.hook = hook[1] ?? '';
    chain.policy = hook[2] === 'drop' ? 'drop' : 'accept';
    return;
  }
  if (/^comment "/.test(line)) return;
  chain.rules.push(parseRule(line));
}

function parseRule(line: string): ObservedNftRule {
  const handle = / # handle (\d+)$/.exec(line);
  const bare = handle ? line.slice(0, handle.index) : line;
  const comment = / comment "([^"]*)"$/.exec(bare);
  // nft prints rules of iptables-restore with a double space in place of an xt comment.
  const text = (comment ? bare.slice(0, comment.index) : bare).replace(/\s+/g, ' ').trim();
  return {
    text,
    ...(handle ? { handle: Number(handle[1]) } : {}),
    ...(comment ? { comment: comment[1] ?? '' } : {}),
  };
}

/**
 * Base chains of some families at a hook, in all tables, with their rules. Equivalent to: `nft -a -s list chain …` for
 * each.
 */
export function listBaseChains(
  context: NftContext,
  socket: NetlinkSocket,
  { hook, families }: { hook: string; families: readonly NftFamily[] },
): ObservedNftChain[] {
  const listing = context.run('list chains', { operation: 'nft list chains', object: hook }, nftOutput.terse);
  return parseChains(listing)
    .filter((chain) => chain.hook === hook && families.includes(chain.family))
    .flatMap((chain) => listChain(context, chain, socket) ?? []);
}

/**
 * Undefined when the chain does not exist, and for names that nft cannot parse.
 * @param socket reads the comments of rules that iptables made, which are otherwise missing
 */
export function listChain(
  context: NftContext,
  name: NftChainName,
  socket?: NetlinkSocket,
): ObservedNftChain | undefined {
  try {
    const spec = chainSpec(name);
    const flags = nftOutput.stateless | nftOutput.handle | nftOutput.terse;
    const listing = context.run(`list chain ${spec}`, { operation: 'nft list chain', object: spec }, flags);
    const found = parseChains(listing).find(({ chain }) => chain === name.chain);
    if (found && socket && mayHaveXtComments(listing)) addComments(found.rules, readXtComments(socket, name));
    return found;
  } catch (error) {
    if (hasErrno(error, 'ENOENT') || isNetyardError(error, 'invalid')) return undefined;
    throw error;
  }
}

function addComments(rules: readonly ObservedNftRule[], comments: ReadonlyMap<number, string>): void {
  for (const rule of rules) {
    const comment = comments.get(rule.handle ?? -1);
    if (comment !== undefined) rule.comment ??= comment;
  }
}
