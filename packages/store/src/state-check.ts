/** Decides from the content of a data root whether its database may be used as it is. Pure. */
import type { Identity } from './database.ts';
import { type FoundRecords, markersOf } from './record-files.ts';
import { type RecordOwner, type Rows, rowsOf } from './tables.ts';

export interface DataRootFacts {
  /** Undefined: there is no file, or an empty one. */
  database: 'missing' | { problem: string } | { identity: Identity | undefined; rows: Rows };
  records: FoundRecords;
  /** Other content: ids of containers with layers, names of volumes, and the number of image layers. */
  folders: { containers: readonly string[]; volumes: readonly string[]; layers: number };
  boot: string;
}

export type Verdict =
  | { use: 'new' }
  | { use: 'database' }
  /** A power failure lost the last transactions; the record files have them. */
  | { use: 'catch-up' }
  | { use: 'none'; reason: string };

const none = (reason: string): Verdict => ({ use: 'none', reason });

export function checkState(facts: DataRootFacts): Verdict {
  const { database, records } = facts;
  const content = describeContent(facts);
  if (database === 'missing')
    return content === '' ? { use: 'new' } : none(`the database is missing or empty, but ${content}`);
  if ('problem' in database) return none(`the database cannot be read: ${database.problem}`);
  const { identity, rows } = database;
  const marked = [...markersOf(records), ...records.files];
  const known = Math.max(0, ...marked.map(({ generation }) => generation));
  if (!identity) return judgeUnnumbered(facts, rows, known > 0);
  const epochs = new Set(marked.map(({ epoch }) => epoch));
  epochs.delete(identity.epoch);
  if (epochs.size > 0) return none('the database is not the one that the record files belong to');
  if (identity.generation < known) return judgeOlder(facts, identity, known);
  const lost = records.files.filter(
    ({ owner }) =>
      rowsOf(rows, owner).length === 0 && owner.kind === 'containers' && facts.folders.containers.includes(owner.name),
  );
  if (lost.length > 0) return none(`the database does not know ${count(lost.length, 'container')} whose files exist`);
  return { use: 'database' };
}

/** Everything up to `synced` was on disk: an older database is not explained by a power failure. */
function judgeOlder({ records, boot }: DataRootFacts, identity: Identity, known: number): Verdict {
  const marker = markersOf(records).toSorted((a, b) => b.generation - a.generation)[0];
  if (marker && marker.boot !== boot && identity.generation >= marker.synced) return { use: 'catch-up' };
  return none(
    `the database is older than the containers' records (transaction ${identity.generation} of ${known}): a part of it was lost, or a copy was restored`,
  );
}

/** Written by a Netyard without record files, or empty. */
function judgeUnnumbered({ folders }: DataRootFacts, rows: Rows, hasRecords: boolean): Verdict {
  if (hasRecords) return none('the database has no number, but record files exist');
  const unknown = folders.containers.filter((id) => !rows.containers.has(id));
  if (rows.containers.size === 0 && unknown.length > 0)
    return none(`the database knows no container, but ${count(unknown.length, 'container')} have layers`);
  if (rows.images.size === 0 && rows.containers.size === 0 && folders.layers > 0)
    return none(`the database knows no image, but ${count(folders.layers, 'image layer')} exist`);
  return { use: 'database' };
}

function describeContent({ folders, records }: DataRootFacts): string {
  const parts = [
    ...(folders.containers.length > 0 ? [count(folders.containers.length, 'container')] : []),
    ...(folders.volumes.length > 0 ? [count(folders.volumes.length, 'volume')] : []),
    ...(folders.layers > 0 ? [count(folders.layers, 'image layer')] : []),
    ...(records.files.length + records.damaged.length > 0
      ? [count(records.files.length + records.damaged.length, 'record file')]
      : []),
  ];
  return parts.length === 0 ? '' : `${parts.join(', ')} exist`;
}

export const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? '' : 's'}`;

/** The object of a record file, for messages. */
export const nameOf = ({ kind, name }: RecordOwner): string => `${kind.slice(0, -1)} ${name}`;
