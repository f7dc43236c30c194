/** Looks at a data root: the database, the record files, and the folders that hold data. Changes nothing but SQLite's log. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '@netyard/core';
import { Database } from './database.ts';
import type { DataRootFacts } from './judge.ts';
import { bootId, listFolder, readRecords } from './record-files.ts';

export const databasePath = (dataRoot: string): string => join(dataRoot, 'netyard.db');
export const recordsPath = (dataRoot: string): string => join(dataRoot, 'records');
export const backupPath = (dataRoot: string): string => join(dataRoot, 'netyard.db.backup');
export const reservePath = (dataRoot: string): string => join(dataRoot, 'netyard.reserve');

export function examineDataRoot(dataRoot: string): DataRootFacts {
  return {
    database: examineDatabase(databasePath(dataRoot)),
    records: readRecords(recordsPath(dataRoot)),
    folders: {
      containers: listFolder(join(dataRoot, 'overlay', 'containers')),
      volumes: listFolder(join(dataRoot, 'volumes')),
      layers: listFolder(join(dataRoot, 'overlay', 'layers')).length,
    },
    boot: bootId(),
  };
}

export function examineDatabase(path: string): DataRootFacts['database'] {
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) === 0) return 'missing';
  let database: Database | undefined;
  try {
    database = new Database(path);
    const problem = database.check();
    if (problem !== undefined) return { problem };
    return { identity: database.identity(), rows: database.read() };
  } catch (error) {
    if (database === undefined && messageOf(error).includes('newer Netyard')) throw error;
    return { problem: messageOf(error) };
  } finally {
    database?.close();
  }
}
