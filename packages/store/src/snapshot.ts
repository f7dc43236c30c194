/**
 * Reads a database through a copy of its files: also while a daemon, which locks it, writes to it, and without SQLite
 * changing anything beside the original.
 */
import { copyFileSync, existsSync, mkdtempSync, rmSync, statfsSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { NetyardError } from '@netyard/core';
import { examineDatabase } from './data-root.ts';
import { migrations } from './schema.ts';
import type { DataRootFacts } from './state-check.ts';

/** The schema version that this Netyard writes. */
export const supportedSchema = migrations.length;

export interface ExaminedSnapshot {
  database: DataRootFacts['database'];
  /** Undefined where it cannot be read. */
  schema: number | undefined;
}

/** What `examineDatabase` finds, of a database in any schema version. */
export function examineSnapshot(path: string): ExaminedSnapshot {
  if (sizeOf(path) === 0) return { database: 'missing', schema: undefined };
  return withSnapshot(path, (copy) => {
    const schema = readSchema(copy);
    if (schema !== undefined && schema > supportedSchema)
      return { schema, database: { problem: `it has schema version ${schema} of a newer Netyard` } };
    return { schema, database: examineDatabase(copy) };
  });
}

export const examineCopy = (path: string): DataRootFacts['database'] => examineSnapshot(path).database;

/** Calls `use` with the path of a copy, which exists until it returns or its promise is settled. */
export function withSnapshot<T>(path: string, use: (copy: string) => T): T {
  const folder = mkdtempSync(join(chooseFolder(path), 'netyard-snapshot-'));
  const clean = (): void => rmSync(folder, { recursive: true, force: true });
  let result: T;
  try {
    const copy = join(folder, basename(path));
    copyDatabase(path, copy);
    result = use(copy);
  } catch (error) {
    clean();
    throw error;
  }
  if (result instanceof Promise) return result.finally(clean) as T;
  clean();
  return result;
}

/** The second one is memory: a full disk is one of the conditions to look into. */
const snapshotFolders = (): string[] => [tmpdir(), '/dev/shm'];

/** SQLite converts an older schema in the copy: every page may be in the database, and new in its log. */
function chooseFolder(path: string): string {
  const size = ['', '-wal'].reduce((sum, suffix) => sum + sizeOf(`${path}${suffix}`), 0);
  const needed = size * 3 + 1024 * 1024;
  const folders = snapshotFolders();
  const folder = folders.find((one) => freeBytes(one) >= needed);
  if (folder !== undefined) return folder;
  const megabytes = Math.ceil(needed / 1024 / 1024);
  throw new NetyardError('unavailable', `no room for a copy of ${path} in ${folders.join(' or ')}`, {
    hint: `free ${megabytes} MB there, or set TMPDIR to a folder with as much space`,
  });
}

const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;

function freeBytes(folder: string): number {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize;
  } catch {
    return 0; // it does not exist
  }
}

const maximumAttempts = 20;

/**
 * A checkpoint moves the log's content into the database. A copy of both is consistent when neither changed meanwhile;
 * SQLite ignores a transaction at the end of the log that is incomplete.
 */
function copyDatabase(path: string, copy: string): void {
  for (let attempt = 1; attempt <= maximumAttempts; attempt += 1) {
    const before = fingerprint(path);
    for (const suffix of ['', '-wal']) {
      rmSync(`${copy}${suffix}`, { force: true });
      if (existsSync(`${path}${suffix}`)) copyFileSync(`${path}${suffix}`, `${copy}${suffix}`);
    }
    if (fingerprint(path) === before) return;
  }
  throw new NetyardError('unavailable', `${path} changes all the time: no consistent copy could be made`, {
    hint: 'try again when fewer containers start and stop',
  });
}

const fingerprint = (path: string): string =>
  ['', '-wal']
    .map((suffix) => statSync(`${path}${suffix}`, { bigint: true, throwIfNoEntry: false }))
    .map((found) => (found ? `${found.ino} ${found.size} ${found.mtimeNs}` : 'none'))
    .join(', ');

function readSchema(copy: string): number | undefined {
  try {
    const database = new DatabaseSync(copy);
    try {
      return Number(database.prepare('PRAGMA user_version').get()?.['user_version'] ?? 0);
    } finally {
      database.close();
    }
  } catch {
    return undefined;
  }
}
