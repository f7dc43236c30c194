/**
 * What is wanted, in one SQLite file. Records are JSON beside the columns they are found by.
 *
 * Every call is synchronous and is on disk for this machine's sake when it returns: a daemon killed at any moment
 * loses nothing. (WAL with synchronous=NORMAL: after a power failure the last commits may be missing, the file is
 * whole; the containers they told of are gone then as well.) Nothing here decides anything.
 */
import { chmodSync } from 'node:fs';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { type Logger, NetyardError } from '@netyard/core';
import type {
  ContainerRecord,
  ContainerStore,
  ImageRecord,
  ImageStore,
  VolumeRecord,
  VolumeStore,
} from '@netyard/engine';
import type {
  LinkRecord,
  NetworkRecord,
  NetworkStore,
  PeerRecord,
  SandboxConfig,
  SandboxState,
} from '@netyard/network';
import { decodeRecord, encodeRecord } from './encoding.ts';
import { migrate } from './schema.ts';

export interface Store extends NetworkStore, ContainerStore, ImageStore, VolumeStore {
  close(): void;
}

/** Opens or makes the file. `:memory:` for tests. Throws `conflict` for a newer schema, `internal` for no data base. */
export function openStore(path: string, options: { logger?: Logger } = {}): Store {
  const database = openDatabase(path);
  try {
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;');
    migrate(database, path);
    options.logger?.debug('store opened', { path });
  } catch (error) {
    database.close();
    if (error instanceof NetyardError) throw error;
    throw new NetyardError('internal', `${path}: ${String(error)}`, { cause: error });
  }
  const tables = new Tables(database);
  return { ...networkStore(tables), ...engineStores(tables), close: () => database.close() };
}

function openDatabase(path: string): DatabaseSync {
  try {
    const database = new DatabaseSync(path, { timeout: 5000 });
    if (path !== ':memory:') chmodSync(path, 0o600);
    return database;
  } catch (error) {
    throw new NetyardError('internal', `cannot open ${path}: ${String(error)}`, { cause: error });
  }
}

/** Statements are prepared once; transactions may stand inside one another. */
class Tables {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  #depth = 0;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known) return known;
    const made = this.#database.prepare(sql);
    this.#statements.set(sql, made);
    return made;
  }

  run(sql: string, ...values: SQLInputValue[]): void {
    this.#statement(sql).run(...values);
  }

  /** The rows' columns as text; NULL is undefined. */
  rows(sql: string, ...values: SQLInputValue[]): Record<string, string | undefined>[] {
    const rows = this.#statement(sql).all(...values);
    return rows.map((row) =>
      Object.fromEntries(
        Object.entries(row).map(([name, value]) => [name, value === null ? undefined : String(value)]),
      ),
    );
  }

  records<T>(sql: string): T[] {
    return this.rows(sql).map((row) => decodeRecord<T>(row['record'] ?? 'null'));
  }

  transaction<T>(work: () => T): T {
    const name = `step${this.#depth}`;
    this.#database.exec(`SAVEPOINT ${name}`);
    this.#depth += 1;
    try {
      const result = work();
      this.#database.exec(`RELEASE ${name}`);
      return result;
    } catch (error) {
      this.#database.exec(`ROLLBACK TO ${name}; RELEASE ${name}`);
      throw error;
    } finally {
      this.#depth -= 1;
    }
  }
}

function networkStore(tables: Tables): NetworkStore {
  return {
    networks: () => tables.records<NetworkRecord>('SELECT record FROM networks ORDER BY rowid'),
    putNetwork: (record) =>
      tables.run(
        `INSERT INTO networks (id, name, record) VALUES (?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET name = excluded.name, record = excluded.record`,
        record.id,
        record.name,
        encodeRecord(record),
      ),
    deleteNetwork: (id) => {
      tables.run('DELETE FROM networks WHERE id = ?', id);
      tables.run('DELETE FROM cursors WHERE network_id = ?', id);
    },
    ...sandboxTable(tables),
    ...linkTable(tables),
    ...peerTable(tables),
    ...leaseTable(tables),
    transaction: (work) => tables.transaction(work),
  };
}

function sandboxTable(tables: Tables): Pick<NetworkStore, 'sandboxes' | 'putSandbox' | 'deleteSandbox'> {
  return {
    sandboxes: () =>
      tables.rows('SELECT config, state FROM sandboxes ORDER BY rowid').map((row) => ({
        config: decodeRecord<SandboxConfig>(row['config'] ?? 'null'),
        ...(row['state'] === undefined ? {} : { state: decodeRecord<SandboxState>(row['state']) }),
      })),
    putSandbox: (config, state) =>
      tables.run(
        `INSERT INTO sandboxes (container_id, config, state) VALUES (?, ?, ?)
         ON CONFLICT (container_id) DO UPDATE SET config = excluded.config, state = excluded.state`,
        config.containerId,
        encodeRecord(config),
        state === undefined ? null : encodeRecord(state),
      ),
    deleteSandbox: (containerId) => tables.run('DELETE FROM sandboxes WHERE container_id = ?', containerId),
  };
}

function linkTable(tables: Tables): Pick<NetworkStore, 'links' | 'putLink' | 'deleteLink'> {
  return {
    links: () => tables.records<LinkRecord>('SELECT record FROM links ORDER BY put'),
    putLink: (link) =>
      tables.run(
        `INSERT INTO links (parent_id, alias, record) VALUES (?, ?, ?)
         ON CONFLICT (parent_id, alias) DO UPDATE SET record = excluded.record`,
        link.parentId,
        link.alias,
        encodeRecord(link),
      ),
    deleteLink: (link) => tables.run('DELETE FROM links WHERE parent_id = ? AND alias = ?', link.parentId, link.alias),
  };
}

function peerTable(tables: Tables): Pick<NetworkStore, 'peers' | 'putPeer' | 'deletePeer'> {
  return {
    peers: () => tables.records<PeerRecord>('SELECT record FROM peers ORDER BY rowid'),
    putPeer: (record) =>
      tables.run(
        `INSERT INTO peers (name, record) VALUES (?, ?)
         ON CONFLICT (name) DO UPDATE SET record = excluded.record`,
        record.name,
        encodeRecord(record),
      ),
    deletePeer: (name) => tables.run('DELETE FROM peers WHERE name = ?', name),
  };
}

function leaseTable(
  tables: Tables,
): Pick<NetworkStore, 'leases' | 'putLease' | 'deleteLease' | 'cursor' | 'putCursor'> {
  return {
    leases: (networkId) =>
      tables.rows('SELECT address, container_id FROM leases WHERE network_id = ?', networkId).map((row) => ({
        address: row['address'] ?? '',
        containerId: row['container_id'] ?? '',
      })),
    putLease: (networkId, address, containerId) =>
      tables.run(
        `INSERT INTO leases (network_id, address, container_id) VALUES (?, ?, ?)
         ON CONFLICT (network_id, address) DO UPDATE SET container_id = excluded.container_id`,
        networkId,
        address,
        containerId,
      ),
    deleteLease: (networkId, address) =>
      tables.run('DELETE FROM leases WHERE network_id = ? AND address = ?', networkId, address),
    cursor: (networkId) => tables.rows('SELECT address FROM cursors WHERE network_id = ?', networkId)[0]?.['address'],
    putCursor: (networkId, address) =>
      tables.run(
        `INSERT INTO cursors (network_id, address) VALUES (?, ?)
         ON CONFLICT (network_id) DO UPDATE SET address = excluded.address`,
        networkId,
        address,
      ),
  };
}

function engineStores(tables: Tables): ContainerStore & ImageStore & VolumeStore {
  return {
    containers: () => tables.records<ContainerRecord>('SELECT record FROM containers ORDER BY rowid'),
    putContainer: (record) =>
      tables.run(
        `INSERT INTO containers (id, name, record) VALUES (?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET name = excluded.name, record = excluded.record`,
        record.id,
        record.name,
        encodeRecord(record),
      ),
    deleteContainer: (id) => tables.run('DELETE FROM containers WHERE id = ?', id),
    images: () => tables.records<ImageRecord>('SELECT record FROM images ORDER BY rowid'),
    putImage: (record) =>
      tables.run(
        'INSERT INTO images (id, record) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET record = excluded.record',
        record.id,
        encodeRecord(record),
      ),
    deleteImage: (id) => tables.run('DELETE FROM images WHERE id = ?', id),
    volumes: () => tables.records<VolumeRecord>('SELECT record FROM volumes ORDER BY rowid'),
    putVolume: (record) =>
      tables.run(
        'INSERT INTO volumes (name, record) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET record = excluded.record',
        record.name,
        encodeRecord(record),
      ),
    deleteVolume: (name) => tables.run('DELETE FROM volumes WHERE name = ?', name),
  };
}
