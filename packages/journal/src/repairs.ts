/** Entries of repairs: one for each object that was missing or different. Pure. */
import type { KernelObject, KernelOperation } from '@netyard/kernel';
import { cut, type JournalEntry } from './entry.ts';

/** Prints objects and commands as `netyard explain` does. Implemented by the daemon. */
export interface ObjectPrinter {
  describe(object: KernelObject): string;
  /** A command may have several lines. */
  printCommands(operation: KernelOperation): string[];
}

/** Objects of one event that get an entry each: a flushed firewall is a few tables and thousands of elements. */
const maximumEntries = 50;
/** Of the commands inside the sentence; `commands` has more. */
const maximumSentence = 500;

const findings: Readonly<Record<KernelOperation['action'], readonly [found: string, done: string]>> = {
  create: ['was missing', 'repaired by'],
  change: ['was different', 'repaired by'],
  delete: ['was in no plan', 'deleted by'],
};

export interface RepairContext {
  object: string;
  names: readonly string[];
  printer: ObjectPrinter;
  /** Names of peers whose object it is. */
  peersOf(object: KernelObject): readonly string[];
  /** Which change of another program was repaired, such as `; deleted by ip (process 812)`, or empty. */
  explain(object: KernelObject): string;
}

/** An entry, and the key by which it is counted when it is repeated. */
export interface RepairEntry {
  entry: Omit<JournalEntry, 'time'>;
  key: string;
}

/** @param context of all operations; each entry has also the names of its object's interface and peers */
export function describeRepairs(operations: readonly KernelOperation[], context: RepairContext): RepairEntry[] {
  const { object, printer } = context;
  const [listed, rest] = [operations.slice(0, maximumEntries), operations.slice(maximumEntries)];
  const entries = listed.map((operation): RepairEntry => {
    const names = [...context.names, ...interfacesOf(operation.object), ...context.peersOf(operation.object)];
    const { text, commands } = describeOne(operation, printer);
    const entry = { kind: 'repair', object, text: text + context.explain(operation.object), commands, names };
    return { entry, key: `${object} ${text}` };
  });
  if (rest.length === 0) return entries;
  const names = [...new Set([...context.names, ...rest.flatMap((operation) => context.peersOf(operation.object))])];
  const text = summarize(rest);
  return [...entries, { entry: { kind: 'repair', object, text, commands: [], names }, key: `${object} ${text}` }];
}

function describeOne(operation: KernelOperation, printer: ObjectPrinter): Pick<JournalEntry, 'text' | 'commands'> {
  const [found, done] = findings[operation.action];
  const commands = printer.printCommands(operation);
  const how = operation.found === undefined || operation.found === '' ? '' : ` (${operation.found})`;
  const what = `${printer.describe(operation.object)} ${found}${how}`;
  if (commands.length === 0) return { text: `${what}; repaired with the objects that contain it`, commands };
  return { text: `${what}; ${done}: ${cut(commands.map(firstLine).join('; '), maximumSentence)}`, commands };
}

/** Of a command with a here-document, the begin and the number of its lines. */
function firstLine(command: string): string {
  const lines = command.trim().split('\n');
  return lines.length === 1 ? command : `${lines[0]} … (${lines.length} lines)`;
}

/** `950 more objects were repaired: 940 nft-element, 10 route`. */
function summarize(operations: readonly KernelOperation[]): string {
  const counts = new Map<string, number>();
  for (const { object } of operations) counts.set(object.kind, (counts.get(object.kind) ?? 0) + 1);
  const kinds = [...counts].map(([kind, count]) => `${count} ${kind}`).join(', ');
  return `${operations.length} more object${operations.length === 1 ? ' was' : 's were'} repaired: ${kinds}`;
}

/** Names of the interfaces that an object is or belongs to. */
export function interfacesOf(object: KernelObject): string[] {
  if (object.kind === 'sysctl')
    return /^net\.(?:ipv[46]\.conf|ipv[46]\.neigh)\.(.+)\.[^.]+$/.exec(object.key)?.slice(1) ?? [];
  if (object.kind === 'nft-table') return [];
  const texts = [
    'name' in object ? object.name : undefined,
    'link' in object ? object.link : undefined,
    object.kind === 'veth' ? object.peer.name : undefined,
  ];
  return texts.filter((text) => typeof text === 'string' && text !== '') as string[];
}
