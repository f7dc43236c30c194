/**
 * Holds rows in memory and on disk: writes the database first, then record files, then the generation. The file of an
 * object that exists already follows a moment later. When the disk is full or broken, changes stay in memory and are
 * written when it works again.
 */
import { randomUUID } from 'node:crypto';
import { closeSync, fsync, openSync } from 'node:fs';
import { type Logger, messageOf, NetyardError } from '@netyard/core';
import { type Change, type Database, type Identity, isDiskError } from './database.ts';
import type { RecordWriter } from './record-files.ts';
import type { Reserve } from './reserve.ts';
import { ownerOf, type RecordOwner, type Row, type Rows, rowsOf, specOf, type TableName } from './tables.ts';

export interface PersistenceParts {
  database: Pick<Database, 'write' | 'checkpoint' | 'reserve' | 'close'>;
  /** Path of the database. */
  path: string;
  rows: Rows;
  identity: Identity | undefined;
  records: RecordWriter | undefined;
  reserve: Reserve | undefined;
  logger: Logger;
  /** Delay before a failed write is retried. Default: one second. */
  retryMs?: number;
}

const idleMs = 2000;
/** The file of a changed object follows the database after this time: once for all changes of one operation. */
const fileDelayMs = 10;

export class Persistence {
  readonly #parts: PersistenceParts;
  readonly #rows: Rows;
  #identity: Identity;
  #synced: number;
  /** The previous rows of the open transaction's changes. */
  readonly #undo: { table: TableName; key: string; before: Row | undefined }[] = [];
  #depth = 0;
  readonly #dirty = new Map<string, { table: TableName; key: string }>();
  readonly #dirtyFiles = new Map<string, RecordOwner>();
  #fileDelay: NodeJS.Timeout | undefined;
  /** The file that is being written in the background; `isCurrent`: no later one has been written or removed. */
  #background: { name: string; owner: RecordOwner; isCurrent: boolean } | undefined;
  #writeProblem: string | undefined;
  #retry: NodeJS.Timeout | undefined;
  #afterwards: NodeJS.Immediate | undefined;
  #idle: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(parts: PersistenceParts) {
    this.#parts = parts;
    this.#rows = parts.rows;
    this.#identity = parts.identity ?? { epoch: randomUUID(), generation: 0 };
    this.#synced = this.#identity.generation;
  }

  get rows(): Rows {
    return this.#rows;
  }

  /** Why the last changes are only in memory; undefined when everything is written. */
  get writeProblem(): string | undefined {
    return this.#writeProblem;
  }

  put(table: TableName, row: Row): void {
    const key = row.slice(0, specOf(table).keys).join('\0');
    this.transaction(() => this.#change(table, key, row));
  }

  delete(table: TableName, ...key: string[]): void {
    if (!this.#rows[table].has(key.join('\0'))) return;
    this.transaction(() => this.#change(table, key.join('\0'), undefined));
  }

  transaction<T>(work: () => T): T {
    const mark = this.#undo.length;
    this.#depth += 1;
    try {
      const result = work();
      if (this.#depth === 1) this.#commit();
      return result;
    } catch (error) {
      this.#rollBack(mark);
      throw error;
    } finally {
      this.#depth -= 1;
      if (this.#depth === 0) this.#undo.length = 0;
    }
  }

  /** Writes record files for all rows; at the start. `present`: files that are up to date. */
  refreshFiles(owners: readonly RecordOwner[]): void {
    for (const owner of owners) this.#dirtyFiles.set(`${owner.kind}/${owner.name}`, owner);
    this.#writeFiles();
  }

  /** Numbers a database that has no number yet. */
  begin(): void {
    if (!this.#parts.identity) this.#attempt(() => this.#writeDatabase());
    this.#mark();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
    clearImmediate(this.#afterwards);
    clearTimeout(this.#idle);
    clearTimeout(this.#fileDelay);
    if (this.#background) this.#dirtyFiles.set(this.#background.name, this.#background.owner);
    this.#attempt(() => this.#flush('at once'));
    this.#attempt(() => {
      this.#parts.database.checkpoint();
      this.#synced = this.#identity.generation;
    });
    this.#mark();
    this.#parts.records?.close();
    this.#parts.database.close();
  }

  #change(table: TableName, key: string, row: Row | undefined): void {
    const rows = this.#rows[table];
    this.#undo.push({ table, key, before: rows.get(key) });
    if (row === undefined) rows.delete(key);
    else rows.set(key, row);
  }

  #rollBack(mark: number): void {
    for (const { table, key, before } of this.#undo.splice(mark).toReversed()) {
      if (before === undefined) this.#rows[table].delete(key);
      else this.#rows[table].set(key, before);
    }
  }

  #commit(): void {
    if (this.#undo.length === 0) return;
    for (const { table, key } of this.#undo) this.#dirty.set(`${table} ${key}`, { table, key });
    try {
      this.#flush(this.#createsSomething() || this.#deletesSomething() ? 'at once' : 'later');
    } catch (error) {
      if (!isDiskError(error) || this.#createsSomething()) {
        for (const { table, key } of this.#undo) if (!this.#writeProblem) this.#dirty.delete(`${table} ${key}`);
        throw isDiskError(error) ? diskError(error) : error;
      }
      this.#note(error);
    }
  }

  /** Additions are rejected: they would be lost with the memory. Existing objects can always change and end. */
  #createsSomething(): boolean {
    return this.#undo.some(
      ({ table, key, before }) => specOf(table).creates && before === undefined && this.#rows[table].has(key),
    );
  }

  #deletesSomething(): boolean {
    return this.#undo.some(({ table, key }) => specOf(table).kind !== undefined && !this.#rows[table].has(key));
  }

  /** Writes everything that is not on disk yet. */
  #flush(files: 'at once' | 'later'): void {
    if (this.#dirty.size > 0) {
      try {
        this.#writeDatabase();
      } catch (error) {
        if (!isDiskError(error) || !this.#parts.reserve?.release()) throw error;
        this.#writeDatabase();
      }
    }
    if (files === 'at once') {
      this.#writeFiles();
      this.#mark();
    }
    if (!this.#closed) this.#afterwards ??= setImmediate(() => this.#endFlush());
  }

  /** Operations do not wait for it. A marker that is a few changes behind is that of a daemon that was killed. */
  #endFlush(): void {
    this.#afterwards = undefined;
    this.#writeFilesLater();
    this.#mark();
    this.#armIdle();
  }

  #writeDatabase(): void {
    const identity = { ...this.#identity, generation: this.#identity.generation + 1 };
    const changes = [...this.#dirty.values()].map(
      ({ table, key }): Change => ({ table, key, row: this.#rows[table].get(key) }),
    );
    this.#parts.database.write(changes, identity);
    this.#identity = identity;
    for (const { table, key } of this.#dirty.values()) {
      const owner = ownerOf(table, key);
      if (owner) this.#dirtyFiles.set(`${owner.kind}/${owner.name}`, owner);
    }
    this.#dirty.clear();
  }

  /** Failing to write a file is no error: the database has the data. */
  #writeFiles(): void {
    const { records } = this.#parts;
    if (!records) {
      this.#dirtyFiles.clear();
      return;
    }
    for (const [name, owner] of this.#dirtyFiles) {
      try {
        const rows = rowsOf(this.#rows, owner);
        if (this.#background?.name === name) this.#background.isCurrent = false;
        if (rows.length === 0) records.remove(owner);
        else records.write(owner, { ...this.#identity, rows });
        this.#dirtyFiles.delete(name);
      } catch (error) {
        this.#note(error);
        return;
      }
    }
  }

  #writeFilesLater(): void {
    if (!this.#parts.records) this.#dirtyFiles.clear();
    if (this.#dirtyFiles.size === 0 || this.#fileDelay || this.#background || this.#closed) return;
    this.#fileDelay = setTimeout(() => {
      this.#fileDelay = undefined;
      void this.#writeFilesInBackground();
    }, fileDelayMs);
    this.#fileDelay.unref();
  }

  /** One after the other, and also those that become dirty meanwhile. */
  async #writeFilesInBackground(): Promise<void> {
    for (const [name, owner] of this.#dirtyFiles) {
      const rows = rowsOf(this.#rows, owner);
      const { records } = this.#parts;
      if (!records || rows.length === 0) return this.#writeFiles();
      this.#dirtyFiles.delete(name);
      const background = { name, owner, isCurrent: true };
      this.#background = background;
      try {
        await records.writeInBackground(owner, { ...this.#identity, rows }, () => background.isCurrent);
      } catch (error) {
        if (background.isCurrent) this.#dirtyFiles.set(name, owner);
        this.#note(error);
        return;
      } finally {
        this.#background = undefined;
      }
      if (this.#closed) return;
    }
  }

  #mark(): void {
    this.#attempt(() => this.#parts.records?.mark(this.#identity, this.#synced));
  }

  #note(error: unknown): void {
    if (this.#writeProblem === undefined)
      this.#parts.logger.error('the state cannot be written and is kept in memory', { error: messageOf(error) });
    this.#writeProblem = messageOf(error);
    if (this.#closed || this.#retry) return;
    this.#retry = setTimeout(() => this.#tryAgain(), this.#parts.retryMs ?? 1000);
    this.#retry.unref();
  }

  #tryAgain(): void {
    this.#retry = undefined;
    try {
      this.#flush('at once');
    } catch (error) {
      this.#note(error);
      return;
    }
    if (this.#dirtyFiles.size > 0) return;
    this.#writeProblem = undefined;
    this.#parts.logger.info('the state is written to disk again');
  }

  /** A checkpoint waits for the disk: it runs when the daemon is idle. */
  #armIdle(): void {
    if (this.#closed || this.#parts.path === ':memory:') return;
    if (this.#idle) this.#idle.refresh();
    else this.#idle = setTimeout(() => this.#checkpoint(), idleMs).unref();
  }

  #checkpoint(): void {
    const { generation } = this.#identity;
    // Another thread syncs the log first, so that the checkpoint itself waits little. Only the log: closing a
    // descriptor of the database would release SQLite's locks on it.
    syncFile(`${this.#parts.path}-wal`, () => {
      if (this.#closed) return;
      this.#attempt(() => {
        this.#parts.database.checkpoint();
        this.#synced = generation;
        this.#parts.reserve?.restore();
        this.#parts.database.reserve();
      });
      this.#mark();
    });
  }

  #attempt(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#note(error);
    }
  }
}

function syncFile(path: string, then: () => void): void {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch {
    then(); // no log: nothing to sync
    return;
  }
  fsync(file, () => {
    closeSync(file);
    then();
  });
}

function diskError(error: unknown): NetyardError {
  const full = new NetyardError('failed', `cannot write the state: ${messageOf(error)}`, {
    hint: 'free space on the file system of the data root: remove containers, images or volumes',
    cause: error,
  });
  return full;
}
