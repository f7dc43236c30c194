/**
 * All that a plan does to the nftables of one namespace, in one transaction: other packets see all of it or nothing.
 *
 * Elements are added without asking first: asking (`nft get element`) makes libnftables read the whole set after each
 * change, adding does not, so a published port costs the same beside one other or thousands. Only when the kernel says
 * that something is there already is it looked at.
 */
import type { KernelOperation, NftElementObject, NftTableObject, Observation } from '../../desired.ts';
import { listBare } from '../../netlink/nft/canonical.ts';
import {
  type NftElement,
  parseElements,
  printAdd,
  printDelete,
  printGet,
  setWords,
} from '../../netlink/nft/element.ts';
import {
  digestComment,
  findTable,
  printKeptElements,
  printReplacement,
  printTable,
  tableWords,
} from '../../netlink/nft/table.ts';
import type { Session } from '../../netlink/session.ts';
import { hasErrno } from '../../system/ffi/errno.ts';
import { absent, observed, present, type Undo } from './handler.ts';

export type NftObject = NftTableObject | NftElementObject;

/** Over this many of one set, reading it once is cheaper than asking for each. */
const listThreshold = 8;
/** Over this many the kernel's complaints, one for each that is there already, would not fit into a socket (ENOBUFS). */
const lookFirstThreshold = 100;

export function observeTable(session: Session, table: NftTableObject): Observation {
  const found = findTable(session.netfilter(table.ns), table);
  if (!found) return absent;
  if (found.comment !== digestComment(table.body)) return observed(['made from another body']);
  const untouched = session.canonicalTables().listing(table);
  if (untouched === undefined) return present;
  return observed([listBare(session.nft(table.ns), table) !== untouched && 'edited by somebody']);
}

// Elements

/** What is there under each element's key; undefined where there is nothing. */
export function findElements(
  session: Session,
  ns: string | undefined,
  elements: readonly NftElementObject[],
): (NftElement | undefined)[] {
  const counts = new Map<string, number>();
  for (const element of elements) counts.set(setWords(element), (counts.get(setWords(element)) ?? 0) + 1);
  const listings = new Map<string, Map<string, NftElement>>();
  return elements.map((element) => {
    const words = setWords(element);
    if ((counts.get(words) ?? 0) <= listThreshold) return askElement(session, ns, element);
    const known = listings.get(words) ?? listSet(session, ns, words);
    listings.set(words, known);
    // A key may be written otherwise than nft prints it: then the kernel is asked, which compares values.
    return known.get(element.key) ?? (known.size === 0 ? undefined : askElement(session, ns, element));
  });
}

function listSet(session: Session, ns: string | undefined, words: string): Map<string, NftElement> {
  try {
    return new Map(listElements(session, ns, words).map((element) => [element.key, element]));
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return new Map();
    throw error;
  }
}

/** EquivalentCommand: `nft list set …` or `nft list map …`, for they have names in common but not commands. Throws ENOENT. */
export function listElements(session: Session, ns: string | undefined, words: string): NftElement[] {
  try {
    return parseElements(session.nft(ns).run(`list map ${words}`, { operation: 'nft list map', object: words }));
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw error;
    return parseElements(session.nft(ns).run(`list set ${words}`, { operation: 'nft list set', object: words }));
  }
}

function askElement(session: Session, ns: string | undefined, element: NftElementObject): NftElement | undefined {
  const purpose = { operation: 'nft get element', object: setWords(element) };
  try {
    const found = parseElements(session.nft(ns).run(printGet(element), purpose))[0];
    // `nft get` leaves the comments of interval sets out; `nft list` has them.
    const isBare = found !== undefined && found.comment === undefined && element.comment !== undefined;
    return isBare ? (listSet(session, ns, setWords(element)).get(element.key) ?? found) : found;
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

export function compareElement(found: NftElement | undefined, wanted: NftElementObject): Observation {
  if (!found) return absent;
  if (found.value !== wanted.value) return { state: 'different', found: `value ${found.value ?? 'none'}` };
  if (found.comment !== wanted.comment) return { state: 'different', found: `comment ${found.comment ?? 'none'}` };
  return present;
}

// Applying

export interface NftBatch {
  ns: string | undefined;
  /** Tables to create or to replace. */
  tables: readonly KernelOperation[];
  /** Elements as wanted, not looked at yet. */
  elements: readonly NftElementObject[];
}

interface Prepared {
  operations: KernelOperation[];
  commands: string;
  undo: string;
}

/** Carries the batch out; answers what it did and how to take it back, in one transaction each. */
export function applyBatch(session: Session, batch: NftBatch): { operations: KernelOperation[]; undo: Undo } {
  const tables = prepareTables(session, batch);
  try {
    return runPrepared(session, batch, [tables, prepareElements(batch, glance(session, batch), 'create')]);
  } catch (error) {
    if (!hasErrno(error, 'EEXIST') || batch.elements.length === 0) throw error;
  }
  const found = findElements(session, batch.ns, batch.elements);
  const pairs = batch.elements.map((element, index) => ({ element, found: found[index] }));
  return runPrepared(session, batch, [tables, prepareElements(batch, pairs, 'add')]);
}

/** A few are not looked at; of many those that stand in a listing under the very key are known. */
function glance(session: Session, { ns, elements }: NftBatch) {
  const isMany = elements.length > lookFirstThreshold;
  const listings = new Map<string, Map<string, NftElement>>();
  return elements.map((element) => {
    if (!isMany) return { element, found: undefined };
    const words = setWords(element);
    const known = listings.get(words) ?? listSet(session, ns, words);
    listings.set(words, known);
    return { element, found: known.get(element.key) };
  });
}

function runPrepared(session: Session, batch: NftBatch, parts: readonly Prepared[]) {
  const operations = parts.flatMap((part) => part.operations);
  const commands = parts.map((part) => part.commands).join('');
  const undo = parts.map((part) => part.undo).join('');
  if (commands !== '') session.nft(batch.ns).run(commands, purposeOf(operations, batch.ns));
  return {
    operations,
    undo: () => {
      if (undo !== '') session.nft(batch.ns).run(undo, { operation: 'nft', object: 'undoing' });
    },
  };
}

function purposeOf(operations: readonly KernelOperation[], ns: string | undefined) {
  const names = new Set(operations.map(({ object }) => objectWords(object as NftObject)));
  const place = ns === undefined ? '' : ` in ${ns}`;
  const allElements = operations.every(({ object }) => object.kind === 'nft-element');
  return { operation: allElements ? 'nft add element' : 'nft add table', object: [...names].join(', ') + place };
}

const objectWords = (object: NftObject): string =>
  object.kind === 'nft-table' ? tableWords(object) : setWords(object);

function prepareTables(session: Session, { ns, tables }: NftBatch): Prepared {
  const prepared: Prepared = { operations: [...tables], commands: '', undo: '' };
  for (const { action, object } of tables) {
    if (object.kind !== 'nft-table') continue;
    const words = tableWords(object);
    if (action === 'create') {
      prepared.commands += printTable(object);
      prepared.undo += `delete table ${words}\n`;
      continue;
    }
    const former = session.nft(ns).run(`list table ${words}`, { operation: 'nft list table', object: words });
    prepared.commands += printReplacement(object, printTable(object)) + printKeptElements(object, former);
    prepared.undo += printReplacement(object, former);
  }
  return prepared;
}

/**
 * `verb`: `create` finds out whether something is there already, `add` is for those that were looked at. In a table
 * that this very transaction makes nothing can be there, and nft 1.0.6 refuses `create` for its interval sets (EEXIST,
 * for the open interval before the first element).
 */
function prepareElements(
  batch: NftBatch,
  pairs: readonly { element: NftElementObject; found: NftElement | undefined }[],
  verb: 'add' | 'create',
): Prepared {
  const tables = new Map(batch.tables.map(({ action, object }) => [objectWords(object as NftObject), action]));
  const actionOn = ({ family, table }: NftElementObject) => tables.get(`${family} ${table}`);
  const wanted = pairs.map((pair) => ({ ...pair, state: compareElement(pair.found, pair.element).state }));
  const fresh = wanted.filter(({ state }) => state === 'absent').map(({ element }) => element);
  const changed = wanted.filter(({ state }) => state === 'different');
  const changedElements = changed.map(({ element }) => element);
  // What is in a new or replaced table is taken back with the table.
  const alone = (element: NftElementObject): boolean => actionOn(element) === undefined;
  const former = changed.map(({ element, found }) => formerElement(element, found));
  return {
    operations: wanted
      .filter(({ state }) => state !== 'present')
      .map(({ element, state }) => ({ action: state === 'absent' ? 'create' : 'change', object: element })),
    commands:
      printDelete(changedElements) +
      printAdd([...fresh.filter((element) => actionOn(element) === 'create'), ...changedElements]) +
      printAdd(
        fresh.filter((element) => actionOn(element) !== 'create'),
        verb,
      ),
    undo: printDelete([...fresh, ...changedElements].filter(alone)) + printAdd(former.filter(alone)),
  };
}

function formerElement(element: NftElementObject, found: NftElement | undefined): NftElementObject {
  const { kind, ns, family, table, set } = element;
  return { kind, ...(ns === undefined ? {} : { ns }), family, table, set, ...(found ?? { key: element.key }) };
}

// Removing

/** Deletes what is there of tables and elements; answers which it deleted. */
export function removeBatch(session: Session, ns: string | undefined, objects: readonly NftObject[]): NftObject[] {
  const tables = objects.filter((object) => object.kind === 'nft-table');
  const going = new Set(tables.map(tableWords));
  const elements = objects
    .filter((object) => object.kind === 'nft-element')
    .filter(({ family, table }) => !going.has(`${family} ${table}`));
  const there = tables.filter((table) => findTable(session.netfilter(ns), table) !== undefined);
  const goneElements = deleteElements(session, ns, elements);
  const words = there.map(tableWords);
  if (there.length > 0) {
    const commands = words.map((name) => `delete table ${name}\n`).join('');
    session.nft(ns).run(commands, { operation: 'nft delete table', object: words.join(', ') });
  }
  return [...goneElements, ...there];
}

function deleteElements(session: Session, ns: string | undefined, elements: readonly NftElementObject[]) {
  if (elements.length === 0) return [];
  const run = (some: readonly NftElementObject[]): void => {
    const names = [...new Set(some.map(setWords))].join(', ');
    session.nft(ns).run(printDelete(some), { operation: 'nft delete element', object: names });
  };
  try {
    run(elements);
    return [...elements];
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw error;
  }
  const found = findElements(session, ns, elements);
  const there = elements.filter((_element, index) => found[index] !== undefined);
  if (there.length > 0) run(there);
  return there;
}
