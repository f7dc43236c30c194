/**
 * Interprets a rule of a forward chain, in nft's syntax, for the first packet of a connection from or to a bridge: whether
 * the rule matches it, and with which verdict. Unknown conditions match some packets. Pure.
 */
import { isEngineBridge } from './engine-bridges.ts';

/** Packets between a bridge and other interfaces. */
export interface PacketClass {
  bridge: string;
  direction: 'from' | 'to';
}

/** Which packets of a class match. */
export type Match = 'all' | 'some' | 'none';

export type Verdict =
  | { kind: 'accept' | 'drop' | 'return' | 'continue' }
  /** A packet may be dropped, by a program or by a set whose content is not known. */
  | { kind: 'unknown' }
  | { kind: 'jump' | 'goto'; chain: string };

export interface Branch {
  match: Match;
  verdict: Verdict;
}

/** The rule without counter and log, which are no verdicts. */
export const essence = ({ text }: { text: string }): string =>
  text
    .replace(
      /\blog( (prefix "[^"]*"|level \S+|flags (?:(?:tcp|ip) \S+|\S+)|group \d+|snaplen \d+|queue-threshold \d+))*/g,
      '',
    )
    .replace(/\bcounter\b( packets \d+ bytes \d+)?/g, '')
    .replace(/\s+/g, ' ')
    .trim();

/** A rule that drops all packets. */
export const isStop = (rule: { text: string }): boolean => /^(?:drop|reject\b.*)$/.test(essence(rule));

/** A rule with a verdict map has one branch for each of the map's elements. */
export function interpretRule(rule: { text: string }, packets: PacketClass): Branch[] {
  const text = essence(rule);
  const map = /^(.*) vmap (\{.*\}|@\S+)$/.exec(text);
  if (map) return interpretMap(map[1] ?? '', map[2] ?? '', packets);
  const found = verdictPattern.exec(text);
  if (!found) return [];
  const verdict = parseVerdict(found[1] ?? '');
  return [{ match: matchConditions(text.slice(0, found.index), packets, verdict), verdict }];
}

// Verdicts

const verdictPattern =
  /(?:^| )(accept|drop|return|continue|reject(?: with .*)?|(?:jump|goto) \S+|queue(?: .*)?|synproxy.*|xt target \S+.*)$/;

/** Targets of iptables after which the next rule is evaluated, or that nft prints where it cannot translate them. */
export const isHarmlessTarget = (name: string): boolean =>
  /^(LOG|NFLOG|ULOG|MARK|CONNMARK|SECMARK|CONNSECMARK|TCPMSS|TCPOPTSTRIP|SET|TOS|DSCP|ECN|TTL|HL|TRACE|CT|NOTRACK|CLASSIFY|CHECKSUM|AUDIT|TEE|RATEEST|IDLETIMER|LED|HMARK)$/.test(
    name,
  );

function parseVerdict(text: string): Verdict {
  const [word = '', argument = ''] = text.split(' ');
  if (word === 'accept' || word === 'drop' || word === 'return' || word === 'continue') return { kind: word };
  if (word === 'reject') return { kind: 'drop' };
  if (word === 'jump' || word === 'goto') return { kind: word, chain: argument };
  const target = /^xt target "?([^" ]+)/.exec(text)?.[1] ?? '';
  if (target === 'REJECT') return { kind: 'drop' };
  return { kind: isHarmlessTarget(target) ? 'continue' : 'unknown' };
}

// Conditions

const interfacePattern = /(?<!\. )\b([io])if(?:name)? (!= )?("[^"]*"|\{[^}]*\}|@\S+)(?= |$)(?! \.)/g;
const statePattern = /(?<!\. )\bct state (!= )?(\{[^}]*\}|[a-z]+(?:,[a-z]+)*)(?= |$)(?! \.)/g;
/** Statements that change the packet or its connection, and restrictions to IPv4. */
const ignoredPattern = /\b(?:meta|ct) mark set \S+|\bmeta nfproto ipv4\b/g;

function matchConditions(text: string, packets: PacketClass, verdict: Verdict): Match {
  const matches: Match[] = [];
  const rest = text
    .replace(interfacePattern, (_all, side: string, not: string | undefined, names: string) => {
      matches.push(matchInterface(packets, side, not !== undefined, parseNames(names)));
      return '';
    })
    .replace(statePattern, (_all, not: string | undefined, states: string) => {
      matches.push(matchState(not !== undefined, states.split(/[{},\s]+/).filter(Boolean), verdict));
      return '';
    })
    .replace(ignoredPattern, '')
    .trim();
  if (/^(ip6|icmpv6)\b|\bmeta nfproto ipv6\b/.test(rest)) return 'none';
  return combine([...matches, ...(rest === '' ? [] : ['some' as const])]);
}

function combine(matches: readonly Match[]): Match {
  if (matches.includes('none')) return 'none';
  return matches.includes('some') ? 'some' : 'all';
}

/** Undefined for the content of a named set. */
const parseNames = (text: string): string[] | undefined =>
  text.startsWith('@') ? undefined : [...text.matchAll(/"([^"]*)"/g)].map(([, name = '']) => name);

const matchesName = (pattern: string, name: string): boolean =>
  pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : pattern === name;

/**
 * The interface on the other side is not known. It is not the bridge, and not the bridge of another container engine: the
 * isolation of such an engine's networks is intended.
 */
function matchInterface(
  { bridge, direction }: PacketClass,
  side: string,
  isNegated: boolean,
  names: readonly string[] | undefined,
): Match {
  if (names === undefined) return 'some';
  if ((side === 'i') === (direction === 'from')) {
    const isListed = names.some((name) => matchesName(name, bridge));
    return isListed === isNegated ? 'none' : 'all';
  }
  const others = names.filter((name) => name !== bridge && !isEngineBridge(name));
  if (others.length > 0) return 'some';
  return isNegated ? 'all' : 'none';
}

const allStates: readonly string[] = ['new', 'established', 'related', 'invalid', 'untracked'];

/** The first packet of a connection is new; a drop of its later packets concerns the connection as well. */
function matchState(isNegated: boolean, listed: readonly string[], { kind }: Verdict): Match {
  const states = isNegated ? allStates.filter((state) => !listed.includes(state)) : listed;
  if (states.includes('new')) return 'all';
  const isOfConnection = states.includes('established') || states.includes('related');
  return isOfConnection && kind !== 'accept' && kind !== 'return' ? 'some' : 'none';
}

// Verdict maps

function interpretMap(expression: string, map: string, packets: PacketClass): Branch[] {
  const simple = /(?:^|.* )((?:[io]if(?:name)?|ct state))$/.exec(expression);
  const key = simple && !/\. ?(?:[io]if(?:name)?|ct state)$/.test(expression) ? (simple[1] ?? '') : '';
  const before = expression.slice(0, expression.length - key.length);
  if (map.startsWith('@')) return [{ match: matchConditions(before, packets, unknown), verdict: unknown }];
  return map
    .slice(1, -1)
    .split(',')
    .flatMap((element) => {
      const [, value = '', text = ''] = /^\s*(.*) : (.*?)\s*$/.exec(element) ?? [];
      const verdict = parseVerdict(text);
      const condition = key === '' ? `${before} ${value}` : `${before} ${key} ${value}`;
      return text === '' ? [] : [{ match: matchConditions(condition, packets, verdict), verdict }];
    });
}

const unknown: Verdict = { kind: 'unknown' };
