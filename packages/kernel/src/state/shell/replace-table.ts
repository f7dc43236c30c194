/** The command that replaces an nftables table and keeps its elements, as `apply` does. Pure. */
import type { NftTableObject } from '../../desired.ts';
import { listSets, printReplacement, printTable, tableSpec } from '../../netlink/nft/table.ts';
import { hereDocument, inside, line, quoteWord } from './command-line.ts';

/** The elements are listed when the script runs; nft reads the whole input before it replaces the table. */
export function replaceTable(table: NftTableObject): string {
  const nft = line(...inside(table.ns), 'nft');
  const text = printReplacement(table, printTable(table));
  const kept = keptSets(table);
  if (kept.length === 0) return hereDocument(`${nft} -f -`, text, 'NFT');
  return [
    '{',
    hereDocument('cat', text, 'NFT'),
    `${nft} list table ${tableSpec(table)} | awk ${quoteWord(printFilter(table, kept))}`,
    `} | ${nft} -f -`,
  ].join('\n');
}

interface KeptSet {
  /** Name and type of a set of the old table. */
  found: string;
  /** Its name in the new table. */
  name: string;
}

/** The same choice as that of `printKeptElements`: same type, same name or a former one. */
function keptSets({ body, formerSets = {} }: NftTableObject): KeptSet[] {
  const sets = listSets(body);
  const names = new Set(sets.map(({ name }) => name));
  return sets.flatMap(({ name, type }) => {
    const former = formerSets[name];
    const isRenamed = former !== undefined && !names.has(former);
    return [name, ...(isRenamed ? [former] : [])].map((old) => ({ found: `${old} ${type}`, name }));
  });
}

/** An awk(1) program that converts the elements in nft's listing of a table to `add element …`. */
function printFilter(table: NftTableObject, kept: readonly KeptSet[]): string {
  return `
BEGIN {
${kept.map(({ found, name }) => `  kept[${JSON.stringify(found)}] = ${JSON.stringify(name)}`).join('\n')}
}
/^\\t(set|map) / { set = $2 }
/^\\t\\ttype(of)? / { sub(/^\\t+/, ""); found = set " " $0 }
/^\\t}/ { shown = 0 }
/^\\t\\telements = / && (found in kept) {
  sub(/^\\t\\telements =/, "add element ${tableSpec(table)} " kept[found])
  shown = 1
}
shown
`;
}
