/** Merges a database that may be out of date with record files that may be newer. Pure. */
import type { ContainerRecord } from '@netyard/engine';
import type { Identity } from './database.ts';
import { decodeRecord, encodeRecord } from './encoding.ts';
import type { FoundRecords, RecordFile } from './record-files.ts';
import { nameOf } from './state-check.ts';
import { emptyRows, keyOf, ownersOf, type RecordOwner, type Rows, rowsOf } from './tables.ts';

export interface MergeInput {
  base: { identity: Identity; rows: Rows } | undefined;
  records: FoundRecords;
  /** Whether the container's layers exist. */
  hasContainer: (id: string) => boolean;
}

const textOf = ({ kind, name }: RecordOwner): string => `${kind}/${name}`;

export function mergeRecords({ base, records, hasContainer }: MergeInput): { rows: Rows; lines: string[] } {
  const lines: string[] = [];
  const rows = emptyRows();
  const files = new Map(records.files.map((file) => [textOf(file.owner), file]));
  const damaged = new Set(records.damaged.map(({ owner }) => textOf(owner)));
  const generation = base?.identity.generation ?? 0;
  for (const owner of base ? ownersOf(base.rows) : []) {
    const file = files.get(textOf(owner));
    if (file && file.generation > generation) continue; // newer: merged below
    const gone =
      records.files.length > 0 &&
      !file &&
      !damaged.has(textOf(owner)) &&
      owner.kind === 'containers' &&
      !hasContainer(owner.name);
    if (gone) lines.push(`${nameOf(owner)}: removed after that copy of the database was made`);
    else if (base) copyRows(base.rows, rows, owner);
  }
  for (const file of [...files.values()].sort((a, b) => a.generation - b.generation)) {
    const isNewer = file.generation > generation;
    const isKnown = rowsOf(rows, file.owner).length > 0;
    if (!isNewer && (isKnown || (base && !isHeld(file, hasContainer)))) continue;
    for (const [table, row] of file.rows) rows[table].set(keyOf(table, row), row);
    lines.push(`${nameOf(file.owner)}: from its record file`);
  }
  if (base)
    for (const table of ['cursors', 'content'] as const)
      for (const [key, row] of base.rows[table]) rows[table].set(key, row);
  lines.push(...separateNames(rows));
  return { rows, lines };
}

/** A file of an object that an intact and newer database does not have is out of date, unless its data exists. */
const isHeld = ({ owner }: RecordFile, hasContainer: (id: string) => boolean): boolean =>
  owner.kind === 'containers' && hasContainer(owner.name);

function copyRows(from: Rows, to: Rows, owner: RecordOwner): void {
  for (const [table, row] of rowsOf(from, owner)) to[table].set(keyOf(table, row), row);
}

/** A name belongs to one container, the one whose record is newest; any other gets a part of its id appended. */
function separateNames(rows: Rows): string[] {
  const lines: string[] = [];
  const holders = new Map<string, string>();
  for (const [id, [, name, record]] of [...rows.containers].toReversed()) {
    const own = name ?? '';
    if (!holders.has(own)) {
      holders.set(own, id);
      continue;
    }
    const renamed = `${own}-${id.slice(0, 12)}`;
    const changed = { ...decodeRecord<ContainerRecord>(record ?? 'null'), name: renamed };
    rows.containers.set(id, [id, renamed, encodeRecord(changed)]);
    const sandbox = rows.sandboxes.get(id);
    if (sandbox) {
      const config = { ...decodeRecord<object>(sandbox[1] ?? '{}'), name: renamed };
      rows.sandboxes.set(id, [id, encodeRecord(config), sandbox[2] ?? null]);
    }
    lines.push(`container ${id}: its name ${own} is used by another container; it is now ${renamed}`);
  }
  return lines;
}
