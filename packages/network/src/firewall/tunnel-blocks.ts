/**
 * Finds chains of other programs at the input hook that drop the packets of a tunnel to peers: UDP to the port of VXLAN
 * from other hosts. Netyard adds no rules to these chains, so `netyard doctor` names the rule that is missing. A chain with
 * any rule that may accept them is not reported. Pure.
 */
import type { NftFamily, ObservedNftChain, ObservedNftRule } from '@netyard/kernel';
import { tunnelPort } from '@netyard/peers';
import { essence, isStop } from './forward-rule.ts';

/** Packets of a tunnel, by the family of its outer packets. */
export interface TunnelPackets {
  family: 'ip' | 'ip6';
  /** The interfaces on which they arrive. */
  uplinks: readonly string[];
}

export interface TunnelBlock {
  /** `inet filter input`. */
  chain: string;
  /** `policy drop`, or a rule. */
  reason: string;
  /** The command that accepts the packets at the head of the chain. */
  fix: string;
}

/** @param reached the chains that the base chains jump to; may contain others */
export function findTunnelBlocks(
  bases: readonly ObservedNftChain[],
  reached: readonly ObservedNftChain[],
  packets: TunnelPackets,
): TunnelBlock[] {
  const ofFamily = (family: NftFamily): boolean => family === 'inet' || family === packets.family;
  return bases
    .filter(({ family }) => ofFamily(family))
    .flatMap((base) => {
      const stop = base.rules.find(isStop);
      const reason = stop ? `rule "${essence(stop)}"` : 'policy drop';
      if (!stop && base.policy !== 'drop') return [];
      if (mayAccept(base, reached, packets, new Set())) return [];
      const chain = `${base.family} ${base.table} ${base.chain}`;
      return [{ chain, reason, fix: `nft insert rule ${chain} udp dport ${tunnelPort} accept` }];
    });
}

/** Whether a rule of the chain, or of one that it jumps to, may accept the packets before all are dropped. */
function mayAccept(
  chain: ObservedNftChain,
  reached: readonly ObservedNftChain[],
  packets: TunnelPackets,
  seen: Set<string>,
): boolean {
  const end = chain.rules.findIndex(isStop);
  const rules = end < 0 ? chain.rules : chain.rules.slice(0, end);
  return rules.some((rule) => {
    if (excludes(rule, packets)) return false;
    const text = essence(rule).replace(/"[^"]*"/g, '""');
    if (/\b(?:accept|queue|xt)\b|@\S+$/.test(text)) return true;
    return [...text.matchAll(/\b(?:jump|goto) ([^\s,}]+)/g)].some(([, name = '']) => {
      if (seen.has(name)) return false;
      seen.add(name);
      const next = reached.find(
        (one) => one.family === chain.family && one.table === chain.table && one.chain === name,
      );
      return next === undefined || mayAccept(next, reached, packets, seen);
    });
  });
}

/** Whether a condition of the rule excludes all packets of the tunnel; unknown conditions do not. */
function excludes(rule: ObservedNftRule, packets: TunnelPackets): boolean {
  const text = essence(rule);
  return conditions.some((isExcluding) => isExcluding(text, packets));
}

type Condition = (text: string, packets: TunnelPackets) => boolean;

/** Netyard's table excludes these packets from connection tracking: they have no other state. */
const hasOtherState: Condition = (text) => {
  const [, not, states = ''] = /\bct state (!= )?(?:vmap )?(\{[^}]*\}|[a-z]+(?:,[a-z]+)*)/.exec(text) ?? [];
  return states !== '' && not === undefined && !states.includes('untracked');
};

const otherProtocol = /^(?:tcp|icmp|icmpv6|sctp|igmp|esp|ah|vrrp|ospf|gre)$/;

const hasOtherProtocol: Condition = (text) =>
  /\b(?:tcp|icmp|icmpv6|sctp) \S/.test(text) ||
  [...text.matchAll(/\b(?:meta l4proto|ip protocol|ip6 nexthdr) (\{[^}]*\}|\S+)/g)].some(([, listed = '']) =>
    wordsOf(listed).every((word) => otherProtocol.test(word) || word === 'ipv6-icmp'),
  );

const hasOtherPort: Condition = (text) =>
  [...text.matchAll(/\b(?:udp|th) dport (\{[^}]*\}|\d\S*)/g)].some(
    ([, listed = '']) => !wordsOf(listed).some(includesTunnelPort),
  );

function includesTunnelPort(range: string): boolean {
  const [first = Number.NaN, last = first] = range.split('-').map(Number);
  return !(tunnelPort < first || tunnelPort > last);
}

const hasOtherInterface: Condition = (text, { uplinks }) => {
  const [, not, listed = ''] = /\biif(?:name)? (!= )?("[^"]*"|\{[^}]*\})/.exec(text) ?? [];
  const names = [...listed.matchAll(/"([^"]*)"/g)].map(([, name = '']) => name);
  if (names.length === 0 || not !== undefined) return false;
  return !names.some((name) => uplinks.some((link) => matchesName(name, link)));
};

const matchesName = (pattern: string, name: string): boolean =>
  pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : pattern === name;

const hasOtherFamily: Condition = (text, { family }) =>
  (family === 'ip' ? /\bip6 |\bmeta nfproto ipv6\b/ : /\bip |\bmeta nfproto ipv4\b/).test(text);

/** Of translated connections. */
const isTranslated: Condition = (text) => /\bct status dnat\b/.test(text);

const conditions: readonly Condition[] = [
  ...[hasOtherState, hasOtherProtocol, hasOtherPort, hasOtherInterface, hasOtherFamily, isTranslated],
];

const wordsOf = (listed: string): string[] => listed.split(/[{},\s]+/).filter(Boolean);
