/**
 * Finds what drops packets of Netyard's bridges in other programs' forward chains: the policy of a chain, or rules of it
 * and of the chains that it jumps to. The one analysis behind the daemon's warnings and `netyard doctor`. Pure.
 */
import type { ObservedNftChain } from '@netyard/kernel';
import { essence, interpretRule, type PacketClass } from './forward-rule.ts';

/** A chain of nf_tables or of iptables-legacy. */
export interface ForwardChain {
  /** The table, within which jumps are resolved: `ip filter`, `iptables-legacy filter`. */
  table: string;
  chain: string;
  isBase: boolean;
  /** Of iptables-legacy, to whose chains Netyard adds no rules. */
  isLegacy: boolean;
  policy: 'accept' | 'drop';
  rules: readonly ForwardRule[];
  /** Commands that accept the bridge's packets at the head of the chain. */
  accept(bridge: string): string[];
}

export interface ForwardRule {
  /** In nft's syntax. */
  text: string;
  /** As the program lists it that the rule belongs to. */
  shown: string;
  /** The command that deletes the rule. */
  remove: string;
}

export interface ForwardBlock {
  /** `drops`: all connections, apart from those that conditional rules accept. `unknown`: the rules cannot be read. */
  kind: 'drops' | 'may-drop' | 'unknown';
  /** The base chain: `ip filter FORWARD`. */
  chain: string;
  bridges: string[];
  /** `policy drop`, `rule "…"`, `rule "…" of chain X`. */
  reason: string;
  /** An instruction. */
  fix: string;
}

/** `bases` and the chains that they jump to. */
export function findForwardBlocks(chains: readonly ForwardChain[], bridges: readonly string[]): ForwardBlock[] {
  const byName = new Map(chains.map((chain) => [`${chain.table} ${chain.chain}`, chain]));
  const found = chains.filter(({ isBase }) => isBase).flatMap((base) => blocksOf(byName, base, bridges));
  return found.toSorted((a, b) => Number(a.kind !== 'drops') - Number(b.kind !== 'drops'));
}

/** `ip filter FORWARD drops what docker0 forwards (policy drop)`, `ip filter FORWARD may drop: tcp dport 80 drop (docker0)`. */
export function describeBlock({ kind, chain, bridges, reason }: ForwardBlock): string {
  const names = bridges.join(', ');
  if (kind === 'drops') return `${chain} drops what ${names} forwards (${reason})`;
  return kind === 'unknown' ? `${chain} is unknown: ${reason}` : `${chain} may drop: ${reason} (packets of ${names})`;
}

// One base chain

interface Cause {
  rule?: ForwardRule;
  /** The chain that contains the rule. */
  chain: ForwardChain;
}

/** The result for packets that no conditional rule decides about, and the causes that may drop others. */
interface Outcome {
  verdict: 'accept' | 'drop' | 'continue';
  cause?: Cause;
  may: Cause[];
}

type Chains = ReadonlyMap<string, ForwardChain>;

function blocksOf(chains: Chains, base: ForwardChain, bridges: readonly string[]): ForwardBlock[] {
  const certain: ForwardBlock[] = [];
  const conditional = new Map<string, ForwardBlock>();
  for (const bridge of bridges) {
    const outcomes = (['from', 'to'] as const).map((direction) => evaluateBase(chains, base, { bridge, direction }));
    const causes = outcomes.flatMap(({ verdict, cause }) => (verdict === 'drop' && cause ? [cause] : []));
    for (const cause of uniqueBy(causes, (one) => reasonOf(base, one)))
      certain.push(certainBlock(base, bridge, reasonOf(base, cause)));
    const others = outcomes.flatMap(({ may }) => may).filter(({ rule }) => causes.every((one) => one.rule !== rule));
    for (const cause of others) addConditional(conditional, base, bridge, cause);
  }
  return [...certain, ...summarize([...conditional.values()])];
}

const nameOf = ({ table, chain }: ForwardChain): string => `${table} ${chain}`;

function certainBlock(base: ForwardChain, bridge: string, reason: string): ForwardBlock {
  const commands = `accept the bridge at the head of that chain: ${base.accept(bridge).join('; ')}`;
  const isReconciled = reason === policyDrop && !base.isLegacy;
  const fix = isReconciled ? `start the daemon without --foreign-firewall=false, or ${commands}` : commands;
  return { kind: 'drops', chain: nameOf(base), bridges: [bridge], reason, fix };
}

function addConditional(found: Map<string, ForwardBlock>, base: ForwardChain, bridge: string, cause: Cause): void {
  const { rule, chain } = cause;
  if (!rule) return;
  const known = found.get(rule.remove);
  if (known) {
    if (!known.bridges.includes(bridge)) known.bridges.push(bridge);
    return;
  }
  const reason = chain === base ? rule.shown : `${rule.shown} of chain ${chain.chain}`;
  const fix = `if containers need these packets, delete the rule: ${rule.remove}`;
  found.set(rule.remove, { kind: 'may-drop', chain: nameOf(base), bridges: [bridge], reason, fix });
}

/** A list of blocked addresses may have thousands of rules. */
const shownRules = 5;

function summarize(blocks: readonly ForwardBlock[]): ForwardBlock[] {
  const shown = blocks.slice(0, shownRules);
  const last = shown.at(-1);
  const others = blocks.length - shown.length;
  if (others === 0 || !last) return shown;
  return [...shown.slice(0, -1), { ...last, reason: `${last.reason}, and ${others} more rules` }];
}

const policyDrop = 'policy drop';

function reasonOf(base: ForwardChain, { rule, chain }: Cause): string {
  if (!rule) return policyDrop;
  return chain === base ? `rule "${rule.shown}"` : `rule "${rule.shown}" of chain ${chain.chain}`;
}

function uniqueBy<T>(values: readonly T[], key: (value: T) => string): T[] {
  return [...new Map(values.map((value) => [key(value), value])).values()];
}

// Evaluation

function evaluateBase(chains: Chains, base: ForwardChain, packets: PacketClass): Outcome {
  const outcome = evaluateChain({ chains, packets, done: new Map() }, base);
  if (outcome.verdict !== 'continue') return outcome;
  return base.policy === 'drop'
    ? { verdict: 'drop', cause: { chain: base }, may: outcome.may }
    : { verdict: 'accept', may: outcome.may };
}

interface Evaluation {
  chains: Chains;
  packets: PacketClass;
  /** A chain that many rules jump to is evaluated once. The kernel rejects loops. */
  done: Map<ForwardChain, Outcome>;
}

function evaluateChain(evaluation: Evaluation, chain: ForwardChain): Outcome {
  const known = evaluation.done.get(chain);
  if (known) return known;
  evaluation.done.set(chain, { verdict: 'continue', may: [] }); // only a listing from two moments can have a loop
  const outcome = evaluateRules(evaluation, chain);
  evaluation.done.set(chain, outcome);
  return outcome;
}

function evaluateRules(evaluation: Evaluation, chain: ForwardChain): Outcome {
  const may = new Set<Cause>();
  for (const rule of chain.rules) {
    const cause: Cause = { rule, chain };
    for (const { match, verdict } of interpretRule(rule, evaluation.packets)) {
      if (match === 'none') continue;
      const step = stepOf(evaluation, cause, verdict);
      for (const one of step.may) may.add(one);
      if (match === 'some') {
        if (step.verdict === 'drop') may.add(step.cause ?? cause);
      } else if (step.verdict !== 'next') {
        const ends = step.verdict === 'return' ? 'continue' : step.verdict;
        return { verdict: ends, ...(step.cause ? { cause: step.cause } : {}), may: [...may] };
      }
    }
  }
  return { verdict: 'continue', may: [...may] };
}

/** What a matching rule does: `next` evaluates the next rule, `return` ends this chain. */
interface Step extends Omit<Outcome, 'verdict'> {
  verdict: 'accept' | 'drop' | 'return' | 'next';
}

function stepOf(
  evaluation: Evaluation,
  cause: Cause,
  verdict: ReturnType<typeof interpretRule>[number]['verdict'],
): Step {
  switch (verdict.kind) {
    case 'accept':
    case 'return':
      return { verdict: verdict.kind, may: [] };
    case 'drop':
      return { verdict: 'drop', cause, may: [] };
    case 'continue':
      return { verdict: 'next', may: [] };
    case 'unknown':
      return { verdict: 'next', may: [cause] };
    default: {
      const target = evaluation.chains.get(`${cause.chain.table} ${verdict.chain}`);
      if (!target) return { verdict: 'next', may: [cause] };
      const { verdict: result, ...rest } = evaluateChain(evaluation, target);
      if (result !== 'continue') return { verdict: result, ...rest };
      return { verdict: verdict.kind === 'goto' ? 'return' : 'next', ...rest };
    }
  }
}

// Chains of nf_tables

export function forwardChainOfNft(observed: ObservedNftChain): ForwardChain {
  const { family, table, chain, hook, policy = 'accept', rules } = observed;
  const name = `${family} ${table} ${chain}`;
  return {
    table: `${family} ${table}`,
    chain,
    isBase: hook === 'forward',
    isLegacy: false,
    policy,
    rules: rules.map((rule) => ({
      text: rule.text,
      shown: essence(rule),
      remove: `nft delete rule ${name} handle ${rule.handle ?? '?'}`,
    })),
    accept: (bridge) => ['iifname', 'oifname'].map((key) => `nft 'insert rule ${name} ${key} "${bridge}" accept'`),
  };
}
