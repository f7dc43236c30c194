/**
 * Inspects a data root: the database, the record files, and the data directories. Changes nothing except SQLite's log.
 */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '@netyard/core';
import { Database, isDiskFull } from './database.ts';
import { decodeRecord } from './encoding.ts';
import { bootId, listFolder, readRecords } from './record-files.ts';
import type { DataRootFacts } from './state-check.ts';
import { type Rows, specOf, tableNames } from './tables.ts';

export const databasePath = (dataRoot: string): string => join(dataRoot, 'netyard.db');
export const recordsPath = (dataRoot: string): string => join(dataRoot, 'records');
export const layersPath = (dataRoot: string): string => join(dataRoot, 'overlay');
/** Files that mark what is being created or removed; see unfinished-marks.ts. */
export const unfinishedPath = (dataRoot: string): string => join(dataRoot, 'unfinished');
export const backupPath = (dataRoot: string): string => join(dataRoot, 'netyard.db.backup');

/** @param examine how to read a database; the default may write to its log */
export function examineDataRoot(
  dataRoot: string,
  examine: (path: string) => DataRootFacts['database'] = examineDatabase,
): DataRootFacts {
  return {
    database: examine(databasePath(dataRoot)),
    records: readRecords(recordsPath(dataRoot), layersPath(dataRoot)),
    folders: {
      containers: listFolder(join(dataRoot, 'overlay', 'containers')),
      volumes: listFolder(join(dataRoot, 'volumes')).filter((name) => !name.startsWith('.')), // .removed-ID: being deleted
      layers: listFolder(join(dataRoot, 'overlay', 'layers')).length,
    },
    boot: bootId(),
  };
}

/** SQLite does not detect damage inside a text. */
function findDamagedRow(rows: Rows): string | undefined {
  for (const table of tableNames) {
    const from = specOf(table).columns.findIndex((column) => ['record', 'config', 'state'].includes(column));
    if (from < 0) continue;
    for (const [key, row] of rows[table]) {
      try {
        for (const text of row.slice(from)) decodeRecord(text ?? 'null');
      } catch (error) {
        return `the row ${key} of ${table} is damaged: ${messageOf(error)}`;
      }
    }
  }
  return undefined;
}

/** Throws `unavailable` when the disk is full, which says nothing about the database; `conflict` for a newer schema. */
export function examineDatabase(path: string): DataRootFacts['database'] {
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) === 0) return 'missing';
  let database: Database | undefined;
  try {
    database = new Database(path);
    const problem = database.check();
    if (problem !== undefined) return { problem };
    const rows = database.read();
    const damaged = findDamagedRow(rows);
    return damaged === undefined ? { identity: database.identity(), rows } : { problem: damaged };
  } catch (error) {
    if (isDiskFull(error)) throw error;
    if (database === undefined && messageOf(error).includes('newer Netyard')) throw error;
    return { problem: messageOf(error) };
  } finally {
    database?.close();
  }
}
