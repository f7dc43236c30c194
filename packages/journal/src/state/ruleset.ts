/** Parts of an nftables ruleset, from what `nft -a -s list ruleset` prints. Pure. */
import type { KernelObject } from '@netyard/kernel';
import type { ChainRule, StateItem, StatePrinter } from './item.ts';

/** A table, or a chain, set or other object of one: its own lines, without the braces. */
interface Block {
  kind: string;
  name: string;
  lines: string[];
}

/** Sets with more elements are recorded without them. */
const maximumElements = 5000;

export function* itemsOfRuleset(ruleset: string, printer: StatePrinter): Generator<StateItem> {
  for (const { spec, lines, blocks } of parseTables(ruleset)) {
    const comment = lines.find((line) => line.startsWith('comment '));
    if (lines.some((line) => /^flags .*owner/.test(line))) continue; // only its owner can create it
    const key = `table ${spec}`;
    const body = comment === undefined ? '' : ` '{ ${comment}; }'`;
    yield { key, create: [`nft add table ${spec}${body}`], remove: [`nft delete table ${spec}`] };
    // All chains and sets before the rules, which may refer to them.
    for (const block of blocks) yield { ...declarationOf(block, spec), of: key };
    for (const block of blocks) yield* contentsOf(block, spec, printer);
  }
}

function declarationOf(block: Block, table: string): StateItem {
  const { kind, name, lines } = block;
  if (kind === 'chain') return chainItem(name, lines, table);
  const declared = lines.filter((line) => !line.startsWith('elements = ')).map((line) => `${line};`);
  return {
    ...{ key: `${kind} ${table} ${name}`, create: [`nft add ${kind} ${table} ${name} '{ ${declared.join(' ')} }'`] },
    remove: [`nft delete ${kind} ${table} ${name}`],
  };
}

function* contentsOf({ kind, name, lines }: Block, table: string, printer: StatePrinter): Generator<StateItem> {
  if (kind === 'chain') {
    const rules = lines.filter((line) => !/^(?:type \S+ hook |comment ")/.test(line)).map(parseRule);
    const of = chainItem(name, lines, table).key;
    if (rules.length > 0) yield { key: `rules ${table} ${name}`, of, create: [], remove: [], rules };
  }
  const isDynamic = lines.some((line) => /^(?:flags .*(?:dynamic|timeout)|timeout )/.test(line));
  if ((kind !== 'set' && kind !== 'map') || isDynamic) return;
  const elements = printer.parseElements(lines.join(' '));
  if (elements.length > maximumElements) return;
  const [family = '', tableName = ''] = table.split(' ');
  for (const { key, value, comment } of elements) {
    const object = {
      ...{ kind: 'nft-element', family, table: tableName, set: name, key },
      ...(value === undefined ? {} : { value }),
      ...(comment === undefined ? {} : { comment }),
    } as KernelObject;
    yield {
      ...{ key: `element ${table} ${name} ${key}`, of: `${kind} ${table} ${name}` },
      create: printer.printCommands({ action: 'create', object }),
      remove: printer.printCommands({ action: 'delete', object }),
    };
  }
}

function chainItem(name: string, lines: readonly string[], table: string): StateItem {
  const spec = `${table} ${name}`;
  const hook = lines
    .map((line) => /^(type \S+ hook .*?;)(?: policy (\w+);)?$/.exec(line))
    .find((match) => match !== null);
  const policy = hook?.[2] === undefined ? '' : ` policy ${hook[2]};`;
  return {
    ...{ key: `chain ${spec}${hook ? ` ${hook[1]}` : ''}` },
    create: [`nft add chain ${spec}${hook ? ` '{ ${hook[1]}${policy} }'` : ''}`],
    remove: [`nft flush chain ${spec}`, `nft delete chain ${spec}`],
    // Only the policy of a base chain can be changed.
    ...(policy === '' ? {} : { change: [`nft chain ${spec} '{${policy} }'`] }),
  };
}

function parseRule(line: string): ChainRule {
  const match = /^(.*) # handle (\d+)$/.exec(line);
  return match ? [(match[1] ?? '').trim(), Number(match[2])] : [line, 0];
}

interface Table {
  /** `ip filter`. */
  spec: string;
  lines: string[];
  blocks: Block[];
}

/** nft indents by tabs: one for the contents of a table, two for those of a chain or set. */
function parseTables(ruleset: string): Table[] {
  const tables: Table[] = [];
  let table: Table | undefined;
  let block: Block | undefined;
  for (const line of joinContinued(ruleset)) {
    const opened = /^table (\S+ \S+) \{/.exec(line)?.[1];
    const part = /^\t([a-z][a-z ]*?) (\S+) \{/.exec(line);
    if (opened !== undefined) {
      table = { spec: opened, lines: [], blocks: [] };
      tables.push(table);
      block = undefined;
    } else if (part && table) {
      block = { kind: part[1] ?? '', name: part[2] ?? '', lines: [] };
      table.blocks.push(block);
    } else if (line === '\t}') block = undefined;
    else if (line.startsWith('\t\t') && block) block.lines.push(line.trim());
    else if (/^\t\S/.test(line) && table) table.lines.push(line.trim());
  }
  return tables;
}

/** Elements fill several lines: those up to the closing brace are one. */
function joinContinued(ruleset: string): string[] {
  const lines: string[] = [];
  let isContinued = false;
  for (const line of ruleset.split('\n')) {
    const last = lines.length - 1;
    if (isContinued) lines[last] = `${lines[last]} ${line.trim()}`;
    else lines.push(line);
    if (/^\t\telements = \{/.test(line)) isContinued = true;
    if (isContinued && /\}$/.test(line)) isContinued = false;
  }
  return lines;
}
