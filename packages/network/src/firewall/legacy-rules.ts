/**
 * Parses the output of `iptables-legacy-save`. nftables does not list these rules, although the kernel evaluates them as
 * well. Their conditions are translated to nft's syntax as far as the analysis of forward chains knows them. Pure.
 */
import type { ForwardChain, ForwardRule } from './forward-blocks.ts';
import { isHarmlessTarget } from './forward-rule.ts';

/** The chains of all tables that forwarded packets traverse. */
export function parseLegacyTables(listing: string): ForwardChain[] {
  return listing
    .split(/^\*/m)
    .slice(1)
    .flatMap((text) => parseTable(text));
}

function parseTable(text: string): ForwardChain[] {
  const [table = '', ...lines] = text.split('\n').map((line) => line.trim());
  const policies = new Map(
    lines.flatMap((line) => {
      const [, chain = '', policy = ''] = /^:(\S+) (\S+)/.exec(line) ?? [];
      return chain === '' ? [] : [[chain, policy] as const];
    }),
  );
  return [...policies].map(([chain, policy]): ForwardChain => {
    const own = lines.filter((line) => line.startsWith(`-A ${chain} `));
    return {
      table: `iptables-legacy ${table}`,
      chain,
      isLegacy: true,
      isBase: chain === 'FORWARD' && policy !== '-',
      policy: policy === 'DROP' ? 'drop' : 'accept',
      rules: own.map((line) => parseRule(table, line, policies)),
      accept: (bridge) =>
        ['-i', '-o'].map((side) => `iptables-legacy -t ${table} -I FORWARD ${side} ${bridge} -j ACCEPT`),
    };
  });
}

function parseRule(table: string, line: string, chains: ReadonlyMap<string, string>): ForwardRule {
  const words = [...line.matchAll(/"(?:\\.|[^"\\])*"|\S+/g)].map(([word]) => word).slice(2);
  const shown = words.join(' ');
  return {
    text: translateRule(words, chains),
    shown,
    remove: `iptables-legacy -t ${table} -D ${line.slice('-A '.length)}`,
  };
}

/** Match extensions whose presence is no condition by itself. */
const markers = new Set(['conntrack', 'state', 'comment']);

/** Conditions without a translation become `xt`, which matches some packets. */
function translateRule(words: readonly string[], chains: ReadonlyMap<string, string>): string {
  const conditions: string[] = [];
  let verdict = '';
  let not = '';
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] ?? '';
    const value = words[index + 1] ?? '';
    if (word === '!') {
      not = '!= ';
      continue;
    }
    if (word === '-i' || word === '-o')
      conditions.push(`${word === '-i' ? 'iifname' : 'oifname'} ${not}"${value.replace(/\+$/, '*')}"`);
    else if (word === '--ctstate' || word === '--state') conditions.push(`ct state ${not}${value.toLowerCase()}`);
    else if (word === '-j' || word === '-g') {
      verdict = translateTarget(word, value, chains);
      break; // what follows are options of the target
    } else if (word !== '--comment' && !(word === '-m' && markers.has(value))) {
      conditions.push('xt');
      not = '';
      continue;
    }
    not = '';
    index += 1;
  }
  return [...conditions, verdict].join(' ').trim();
}

function translateTarget(option: string, target: string, chains: ReadonlyMap<string, string>): string {
  if (target === 'ACCEPT' || target === 'DROP' || target === 'RETURN' || target === 'REJECT')
    return target.toLowerCase();
  if (chains.has(target)) return `${option === '-g' ? 'goto' : 'jump'} ${target}`;
  return isHarmlessTarget(target) ? 'continue' : `xt target "${target}"`;
}
