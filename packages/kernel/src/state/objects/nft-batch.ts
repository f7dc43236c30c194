/**
 * Applies all nftables changes of a plan in one namespace as one transaction: packets see all of it or nothing.
 *
 * Elements are added without a query first: `nft get element` makes libnftables read the whole set after each change,
 * adding does not, so a published port costs the same whatever the size of the set. Existing elements are queried only
 * when the kernel reports EEXIST.
 */
import { KernelError } from '@netyard/core';
import type { KernelOperation, NftElementObject, NftTableObject, Observation } from '../../desired.ts';
import { listBare } from '../../netlink/nft/canonical-tables.ts';
import { type NftElement, parseElements, printAdd, printDelete, printGet, setSpec } from '../../netlink/nft/element.ts';
import {
  digestComment,
  findTable,
  printKeptElements,
  printReplacement,
  printTable,
  tableSpec,
} from '../../netlink/nft/table.ts';
import type { Session } from '../../netlink/session.ts';
import { hasErrno } from '../../system/ffi/errno.ts';
import { absent, observed, present, type Undo } from './handler.ts';

export type NftObject = NftTableObject | NftElementObject;

/** Above this number of elements of one set, reading the set once is cheaper than querying each element. */
const listThreshold = 8;
/**
 * Above this number, the kernel's error messages, one per existing element, would overflow the socket's buffer
 * (ENOBUFS).
 */
const queryFirstThreshold = 100;

export function observeTable(session: Session, table: NftTableObject): Observation {
  const found = findTable(session.netfilter(table.ns), table);
  if (!found) return absent;
  if (found.comment !== digestComment(table.body)) return observed(['created from another body']);
  const canonical = session.canonicalTables().listing(table);
  if (canonical === undefined) return present;
  return observed([listBare(session.nft(table.ns), table) !== canonical && 'edited by another program']);
}

// Elements

/** The existing element for each key; undefined where there is none. */
export function findElements(
  session: Session,
  ns: string | undefined,
  elements: readonly NftElementObject[],
): (NftElement | undefined)[] {
  const counts = new Map<string, number>();
  for (const element of elements) counts.set(setSpec(element), (counts.get(setSpec(element)) ?? 0) + 1);
  const listings = new Map<string, Map<string, NftElement>>();
  return elements.map((element) => {
    const spec = setSpec(element);
    if ((counts.get(spec) ?? 0) <= listThreshold) return queryElement(session, ns, element);
    const known = listings.get(spec) ?? listSet(session, ns, spec);
    listings.set(spec, known);
    // A key may be spelled differently from nft's output: then the kernel is queried, which compares values.
    return known.get(element.key) ?? (known.size === 0 ? undefined : queryElement(session, ns, element, () => known));
  });
}

function listSet(session: Session, ns: string | undefined, spec: string): Map<string, NftElement> {
  try {
    return new Map(listElements(session, ns, spec).map((element) => [element.key, element]));
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return new Map();
    throw error;
  }
}

/**
 * Equivalent to: `nft list set …` or `nft list map …`: sets and maps share their names but not their commands. Throws
 * ENOENT.
 */
export function listElements(session: Session, ns: string | undefined, spec: string): NftElement[] {
  try {
    return parseElements(session.nft(ns).run(`list map ${spec}`, { operation: 'nft list map', object: spec }));
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw error;
    return parseElements(session.nft(ns).run(`list set ${spec}`, { operation: 'nft list set', object: spec }));
  }
}

/** @param list all elements of the set, for what `nft get` does not find or print */
function queryElement(
  session: Session,
  ns: string | undefined,
  element: NftElementObject,
  list = (): Map<string, NftElement> => listSet(session, ns, setSpec(element)),
): NftElement | undefined {
  const purpose = { operation: 'nft get element', object: setSpec(element) };
  try {
    const found = parseElements(session.nft(ns).run(printGet(element), purpose))[0];
    // `nft get` omits the comments of interval sets; `nft list` prints them.
    const lacksComment = found !== undefined && found.comment === undefined && element.comment !== undefined;
    return lacksComment ? (list().get(element.key) ?? found) : found;
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw error;
    // The kernel may not find an interval where another one begins at its end, as with 172.17.0.0/16 and 172.18.0.0/16.
    return element.key.includes('/') ? list().get(element.key) : undefined;
  }
}

export function compareElement(found: NftElement | undefined, desired: NftElementObject): Observation {
  if (!found) return absent;
  if (found.value !== desired.value) return { state: 'different', found: `value ${found.value ?? 'none'}` };
  if (found.comment !== desired.comment) return { state: 'different', found: `comment ${found.comment ?? 'none'}` };
  return present;
}

// Applying

export interface NftBatch {
  ns: string | undefined;
  /** Tables to create or to replace. */
  tables: readonly KernelOperation[];
  /** Desired elements, not observed yet. */
  elements: readonly NftElementObject[];
}

interface Prepared {
  operations: KernelOperation[];
  commands: string;
  undo: string;
}

/** Applies the batch; returns the operations and their undo, one transaction each. */
export function applyBatch(session: Session, batch: NftBatch): { operations: KernelOperation[]; undo: Undo } {
  const tables = prepareTables(session, batch);
  try {
    if (batch.tables.length === 0 && createDirectly(session, batch)) return createdAll(session, batch);
    return runPrepared(session, batch, [tables, prepareElements(batch, observeIfMany(session, batch), 'create')]);
  } catch (error) {
    if (!hasErrno(error, 'EEXIST') || batch.elements.length === 0) throw error;
  }
  const found = findKeptElements(session, batch);
  const pairs = batch.elements.map((element, index) => ({ element, found: found[index] }));
  return runPrepared(session, batch, [tables, prepareElements(batch, pairs, 'add')]);
}

/** Without libnftables. False: it is needed, also to report why the kernel rejects the elements. Throws EEXIST. */
function createDirectly(session: Session, { ns, elements }: NftBatch): boolean {
  try {
    return session.hashElements(ns).change('create', elements);
  } catch (error) {
    if (!(error instanceof KernelError) || hasErrno(error, 'EEXIST')) throw error;
    return false;
  }
}

const createdAll = (session: Session, { ns, elements }: NftBatch): { operations: KernelOperation[]; undo: Undo } => ({
  operations: elements.map((object) => ({ action: 'create', object })),
  undo: () => void deleteElements(session, ns, elements),
});

/** Like `findElements`; elements of a table to replace are also found in sets that still have their former names. */
function findKeptElements(session: Session, { ns, tables, elements }: NftBatch): (NftElement | undefined)[] {
  const found = findElements(session, ns, elements);
  const missing = elements
    .filter((_element, index) => found[index] === undefined)
    .flatMap((element) => {
      const former = formerSetOf(element, tables);
      return former === undefined ? [] : [{ element, inFormerSet: { ...element, set: former } }];
    });
  const foundInFormerSets = findElements(
    session,
    ns,
    missing.map(({ inFormerSet }) => inFormerSet),
  );
  const kept = new Map(missing.map(({ element }, index) => [element, foundInFormerSets[index]]));
  return elements.map((element, index) => found[index] ?? kept.get(element));
}

function formerSetOf({ family, table, set }: NftElementObject, tables: NftBatch['tables']): string | undefined {
  const replaced = tables.find(({ object }) => objectSpec(object as NftObject) === `${family} ${table}`)?.object;
  return replaced?.kind === 'nft-table' ? replaced.formerSets?.[set] : undefined;
}

/** Up to the threshold elements are not observed; above it, those listed under exactly this key are known to exist. */
function observeIfMany(session: Session, { ns, elements }: NftBatch) {
  const isMany = elements.length > queryFirstThreshold;
  const listings = new Map<string, Map<string, NftElement>>();
  return elements.map((element) => {
    if (!isMany) return { element, found: undefined };
    const spec = setSpec(element);
    const known = listings.get(spec) ?? listSet(session, ns, spec);
    listings.set(spec, known);
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
      if (undo !== '') session.nft(batch.ns).run(undo, { operation: 'nft', object: 'rollback' });
    },
  };
}

function purposeOf(operations: readonly KernelOperation[], ns: string | undefined) {
  const names = new Set(operations.map(({ object }) => objectSpec(object as NftObject)));
  const location = ns === undefined ? '' : ` in ${ns}`;
  const allElements = operations.every(({ object }) => object.kind === 'nft-element');
  return { operation: allElements ? 'nft add element' : 'nft add table', object: [...names].join(', ') + location };
}

const objectSpec = (object: NftObject): string => (object.kind === 'nft-table' ? tableSpec(object) : setSpec(object));

function prepareTables(session: Session, { ns, tables }: NftBatch): Prepared {
  const prepared: Prepared = { operations: [...tables], commands: '', undo: '' };
  for (const { action, object } of tables) {
    if (object.kind !== 'nft-table') continue;
    const spec = tableSpec(object);
    if (action === 'create') {
      prepared.commands += printTable(object);
      prepared.undo += `delete table ${spec}\n`;
      continue;
    }
    const former = session.nft(ns).run(`list table ${spec}`, { operation: 'nft list table', object: spec });
    prepared.commands += printReplacement(object, printTable(object)) + printKeptElements(object, former);
    prepared.undo += printReplacement(object, former);
  }
  return prepared;
}

/**
 * `verb`: `create` fails for existing elements; `add` is for elements that were observed. A table that this transaction
 * creates has no elements yet, and nft 1.0.6 rejects `create` for its interval sets (EEXIST, for the open interval
 * before the first element).
 */
function prepareElements(
  batch: NftBatch,
  pairs: readonly { element: NftElementObject; found: NftElement | undefined }[],
  verb: 'add' | 'create',
): Prepared {
  const tables = new Map(batch.tables.map(({ action, object }) => [objectSpec(object as NftObject), action]));
  const actionOn = ({ family, table }: NftElementObject) => tables.get(`${family} ${table}`);
  const compared = pairs.map((pair) => ({ ...pair, state: compareElement(pair.found, pair.element).state }));
  const fresh = compared.filter(({ state }) => state === 'absent').map(({ element }) => element);
  const changed = compared.filter(({ state }) => state === 'different');
  const changedElements = changed.map(({ element }) => element);
  // Elements of a new or replaced table are rolled back with the table.
  const isInUnchangedTable = (element: NftElementObject): boolean => actionOn(element) === undefined;
  const former = changed.map(({ element, found }) => formerElement(element, found));
  return {
    operations: compared
      .filter(({ state }) => state !== 'present')
      .map(({ element, state }) => ({ action: state === 'absent' ? 'create' : 'change', object: element })),
    commands:
      printDelete(changedElements) +
      printAdd([...fresh.filter((element) => actionOn(element) === 'create'), ...changedElements]) +
      printAdd(
        fresh.filter((element) => actionOn(element) !== 'create'),
        verb,
      ),
    undo:
      printDelete([...fresh, ...changedElements].filter(isInUnchangedTable)) +
      printAdd(former.filter(isInUnchangedTable)),
  };
}

function formerElement(element: NftElementObject, found: NftElement | undefined): NftElementObject {
  const { kind, ns, family, table, set } = element;
  return { kind, ...(ns === undefined ? {} : { ns }), family, table, set, ...(found ?? { key: element.key }) };
}

// Removing

/** Deletes existing tables and elements; returns those that it deleted. */
export function removeBatch(session: Session, ns: string | undefined, objects: readonly NftObject[]): NftObject[] {
  const tables = objects.filter((object) => object.kind === 'nft-table');
  const deletedTables = new Set(tables.map(tableSpec));
  const elements = objects
    .filter((object) => object.kind === 'nft-element')
    .filter(({ family, table }) => !deletedTables.has(`${family} ${table}`));
  const existing = tables.filter((table) => findTable(session.netfilter(ns), table) !== undefined);
  const deletedElements = deleteElements(session, ns, elements);
  const spec = existing.map(tableSpec);
  if (existing.length > 0) {
    const commands = spec.map((name) => `delete table ${name}\n`).join('');
    session.nft(ns).run(commands, { operation: 'nft delete table', object: spec.join(', ') });
  }
  return [...deletedElements, ...existing];
}

/** As `createDirectly`. Throws ENOENT. */
function deleteDirectly(session: Session, ns: string | undefined, elements: readonly NftElementObject[]): boolean {
  try {
    return session.hashElements(ns).change('delete', elements);
  } catch (error) {
    if (!(error instanceof KernelError) || hasErrno(error, 'ENOENT')) throw error;
    return false;
  }
}

function deleteElements(session: Session, ns: string | undefined, elements: readonly NftElementObject[]) {
  if (elements.length === 0) return [];
  const run = (some: readonly NftElementObject[]): void => {
    const names = [...new Set(some.map(setSpec))].join(', ');
    session.nft(ns).run(printDelete(some), { operation: 'nft delete element', object: names });
  };
  try {
    if (!deleteDirectly(session, ns, elements)) run(elements);
    return [...elements];
  } catch (error) {
    // EINVAL: libnftables itself does not find an interval.
    if (!hasErrno(error, 'ENOENT') && !hasErrno(error, 'EINVAL')) throw error;
  }
  const found = findElements(session, ns, elements);
  const existing = elements.filter((_element, index) => found[index] !== undefined);
  if (existing.length > 0) run(existing);
  return existing;
}
