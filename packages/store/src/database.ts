/** The SQLite file: opens it, reads all rows, and writes row changes in one transaction each. */
import { chmodSync } from 'node:fs';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { NetyardError } from '@netyard/core';
import { migrate } from './schema.ts';
import { emptyRows, keyOf, type Row, type Rows, specOf, type TableName, tableNames } from './tables.ts';

export interface Change {
  table: TableName;
  key: string;
  /** Undefined: the row is deleted. */
  row: Row | undefined;
}

/** Identifies the database, and counts its transactions. */
export interface Identity {
  epoch: string;
  generation: number;
}

/** Rows that SQLite can write without allocating space from the file system: free pages, and the log's own. */
const sparePages = 256;

export class Database {
  readonly #database: DatabaseSync;
  /** By what they do. */
  readonly #statements = new Map<string, StatementSync>();

  /**
   * Opens or creates the file. Throws `conflict` for a newer schema, `unavailable` if the disk is full (converting an
   * older schema needs space), `failed` if it is no database.
   */
  constructor(path: string) {
    this.#database = openFile(path);
    try {
      // No other process reads the file while it is open. Without shared memory it can be opened on a full disk.
      this.#database.exec(`PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
        PRAGMA wal_autocheckpoint = ${sparePages};`);
      migrate(this.#database, path);
    } catch (error) {
      this.#database.close();
      if (error instanceof NetyardError) throw error;
      if (isDiskFull(error)) throw diskFull(path, error);
      throw new NetyardError('failed', `${path}: ${String(error)}`, { cause: error });
    }
  }

  read(): Rows {
    const rows = emptyRows();
    for (const table of tableNames) {
      const { columns, order } = specOf(table);
      const found = this.#statement(`SELECT ${columns.join(', ')} FROM ${table} ORDER BY ${order}`).all();
      for (const line of found) {
        const row = columns.map((column) => (line[column] === null ? null : String(line[column])));
        rows[table].set(keyOf(table, row), row);
      }
    }
    return rows;
  }

  identity(): Identity | undefined {
    const row = this.#statement('SELECT epoch, generation FROM identity').get();
    return row && { epoch: String(row['epoch']), generation: Number(row['generation']) };
  }

  /** Writes one transaction; deletions first, as a name may move from a deleted row to a new one. */
  write(changes: readonly Change[], identity: Identity): void {
    this.#statement('BEGIN IMMEDIATE').run();
    try {
      for (const change of changes) if (change.row === undefined) this.#delete(change);
      for (const change of changes) if (change.row !== undefined) this.#put(change.table, change.row);
      this.#statement('INSERT OR REPLACE INTO identity (one, epoch, generation) VALUES (1, ?, ?)').run(
        identity.epoch,
        identity.generation,
      );
      this.#statement('COMMIT').run();
    } catch (error) {
      this.#rollBack();
      throw error;
    }
  }

  /** Moves the log's content into the file; syncs both. */
  checkpoint(): void {
    this.#database.exec('PRAGMA wal_checkpoint(PASSIVE)');
  }

  /** Reserves free pages in the file and space in the log, so that changes can be written when the disk is full. */
  reserve(): void {
    const free = Number(this.#database.prepare('PRAGMA freelist_count').get()?.['freelist_count'] ?? 0);
    if (free >= sparePages / 2) return;
    this.#database.exec(`CREATE TABLE IF NOT EXISTS spare (space BLOB);
      INSERT INTO spare VALUES (zeroblob(${sparePages * 4096})); DROP TABLE spare;`);
  }

  /** SQLite's own check; undefined when the database is intact. */
  check(): string | undefined {
    const found = this.#database.prepare('PRAGMA integrity_check(1)').get()?.['integrity_check'];
    return found === 'ok' ? undefined : String(found);
  }

  get handle(): DatabaseSync {
    return this.#database;
  }

  close(): void {
    this.#database.close();
  }

  /** SQLite itself rolls back after some failures, a full disk among them. */
  #rollBack(): void {
    if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
  }

  #put(table: TableName, row: Row): void {
    this.#prepared(`put ${table}`, () => putStatement(table)).run(...row);
  }

  #delete({ table, key }: Change): void {
    this.#prepared(`delete ${table}`, () => deleteStatement(table)).run(...key.split('\0'));
  }

  #statement(sql: string): StatementSync {
    return this.#prepared(sql, () => sql);
  }

  #prepared(name: string, sql: () => string): StatementSync {
    const known = this.#statements.get(name);
    if (known) return known;
    const made = this.#database.prepare(sql());
    this.#statements.set(name, made);
    return made;
  }
}

function putStatement(table: TableName): string {
  const { columns, keys } = specOf(table);
  const updates = columns.slice(keys).map((column) => `${column} = excluded.${column}`);
  const then = updates.length === 0 ? 'NOTHING' : `UPDATE SET ${updates.join(', ')}`;
  const places = columns.map(() => '?').join(', ');
  const conflict = columns.slice(0, keys).join(', ');
  return `INSERT INTO ${table} (${columns.join(', ')}) VALUES (${places}) ON CONFLICT (${conflict}) DO ${then}`;
}

function deleteStatement(table: TableName): string {
  const { columns, keys } = specOf(table);
  const where = columns.slice(0, keys).map((column) => `${column} = ?`);
  return `DELETE FROM ${table} WHERE ${where.join(' AND ')}`;
}

function openFile(path: string): DatabaseSync {
  try {
    const database = new DatabaseSync(path, { timeout: 5000 });
    if (path !== ':memory:') chmodSync(path, 0o600);
    return database;
  } catch (error) {
    throw new NetyardError('failed', `cannot open ${path}: ${String(error)}`, { cause: error });
  }
}

const diskFull = (path: string, cause: unknown): NetyardError =>
  new NetyardError('unavailable', `cannot open ${path}: no space left on its file system`, {
    hint: `free space on the file system of ${path}; nothing was changed`,
    cause,
  });

/** Says nothing about the database, unlike the other disk errors. */
export const isDiskFull = (error: unknown): boolean => hasDiskCode(error, ['ENOSPC', 'EDQUOT'], [13]);

/** Primary result codes: the disk is full, cannot be read or written, or is read-only (sqlite.org/rescode.html). */
export const isDiskError = (error: unknown): boolean =>
  hasDiskCode(error, ['ENOSPC', 'EDQUOT', 'EIO', 'EROFS'], [8, 10, 13, 14]);

function hasDiskCode(error: unknown, names: readonly string[], results: readonly number[]): boolean {
  if (!(error instanceof Error)) return false;
  if ('code' in error && names.includes(String(error.code))) return true;
  const code = 'errcode' in error ? Number(error.errcode) & 0xff : 0;
  return results.includes(code) || hasDiskCode(error.cause, names, results);
}
