/** Parts of an nftables ruleset, from what `nft -a -s list ruleset` prints. Pure. */
import type { KernelObject } from '@netyard/kernel';
import { type ChainRule, groupOf, type ItemGroup, type StateItem, type StatePrinter } from './item.ts';

/** A table, or a chain, set or other object of one: its own lines, without the braces. */
interface Block {
  kind: string;
  name: string;
  lines: string[];
  /** Lines of the elements of a set or map, each with one or several. */
  elements: string[];
}

/** Sets with more elements are recorded without them. */
const maximumElements = 5000;

/** @param isKnown whether the elements of a line of nft, which is the group's key, were recorded: they are not made again */
export function* groupsOfRuleset(
  ruleset: string,
  printer: StatePrinter,
  isKnown: (key: string) => boolean,
): Generator<ItemGroup> {
  for (const { spec, lines, blocks } of parseTables(ruleset)) {
    const comment = lines.find((line) => line.startsWith('comment '));
    if (lines.some((line) => /^flags .*owner/.test(line))) continue; // only its owner can create it
    const key = `table ${spec}`;
    const body = comment === undefined ? '' : ` '{ ${comment}; }'`;
    yield groupOf({ key, create: [`nft add table ${spec}${body}`], remove: [`nft delete table ${spec}`] });
    // All chains and sets before the rules, which may refer to them.
    for (const block of blocks) yield groupOf({ ...declarationOf(block, spec), of: key });
    for (const block of blocks) {
      yield* rulesOf(block, spec);
      yield* elementsOf(block, spec, printer, isKnown);
    }
  }
}

function declarationOf(block: Block, table: string): StateItem {
  const { kind, name, lines } = block;
  if (kind === 'chain') return chainItem(name, lines, table);
  const declared = lines.map((line) => `${line};`);
  return {
    ...{ key: `${kind} ${table} ${name}`, create: [`nft add ${kind} ${table} ${name} '{ ${declared.join(' ')} }'`] },
    remove: [`nft delete ${kind} ${table} ${name}`],
  };
}

function* rulesOf({ kind, name, lines }: Block, table: string): Generator<ItemGroup> {
  if (kind !== 'chain') return;
  const rules = lines.filter((line) => !/^(?:type \S+ hook |comment ")/.test(line)).map(parseRule);
  const of = chainItem(name, lines, table).key;
  if (rules.length > 0) yield groupOf({ key: `rules ${table} ${name}`, of, create: [], remove: [], rules });
}

/** A set has an element for each container, of which few change. */
function* elementsOf(
  block: Block,
  table: string,
  printer: StatePrinter,
  isKnown: (key: string) => boolean,
): Generator<ItemGroup> {
  const { kind, name, lines, elements } = block;
  const isDynamic = lines.some((line) => /^(?:flags .*(?:dynamic|timeout)|timeout )/.test(line));
  if ((kind !== 'set' && kind !== 'map') || isDynamic || countElements(elements) > maximumElements) return;
  for (const line of elements) {
    const key = `elements ${table} ${name} ${line}`;
    yield { key, items: isKnown(key) ? undefined : elementsOfLine(line, block, table, printer) };
  }
}

/** Commas separate them; a comment may have more. */
const countElements = (lines: readonly string[]): number =>
  lines.reduce((sum, line) => sum + line.replace(/"[^"]*"/g, '').split(',').length - 1, 1);

function elementsOfLine(line: string, { kind, name }: Block, table: string, printer: StatePrinter): StateItem[] {
  const [family = '', tableName = ''] = table.split(' ');
  return printer.parseElements(`elements = { ${line} }`).map(({ key, value, comment }) => {
    const object = {
      ...{ kind: 'nft-element', family, table: tableName, set: name, key },
      ...(value === undefined ? {} : { value }),
      ...(comment === undefined ? {} : { comment }),
    } as KernelObject;
    return {
      ...{ key: `element ${table} ${name} ${key}`, of: `${kind} ${table} ${name}` },
      create: printer.printCommands({ action: 'create', object }),
      remove: printer.printCommands({ action: 'delete', object }),
    };
  });
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
  let isInElements = false;
  for (const line of ruleset.split('\n')) {
    if (isInElements || line.startsWith(elementsStart)) {
      isInElements = addElements(line, block);
      continue;
    }
    const opened = /^table (\S+ \S+) \{/.exec(line)?.[1];
    const part = /^\t([a-z][a-z ]*?) (\S+) \{/.exec(line);
    if (opened !== undefined) {
      table = { spec: opened, lines: [], blocks: [] };
      tables.push(table);
      block = undefined;
    } else if (part && table) {
      block = { kind: part[1] ?? '', name: part[2] ?? '', lines: [], elements: [] };
      table.blocks.push(block);
    } else if (line === '\t}') block = undefined;
    else if (line.startsWith('\t\t') && block) block.lines.push(line.trim());
    else if (/^\t\S/.test(line) && table) table.lines.push(line.trim());
  }
  return tables;
}

const elementsStart = '\t\telements = {';

/**
 * Elements fill lines up to the closing brace; nft breaks lines between elements.
 *
 * @returns whether more lines follow
 */
function addElements(line: string, block: Block | undefined): boolean {
  const isLast = line.endsWith('}');
  const listed = line.slice(line.startsWith(elementsStart) ? elementsStart.length : 0, isLast ? -1 : undefined);
  block?.elements.push(listed.trim());
  return !isLast;
}
