/**
 * The desired state: in memory, in one SQLite file, and a second time in record files (record-files.ts). Records are
 * JSON beside the columns that index them.
 *
 * Every call is synchronous and has written the database when it returns: a daemon killed at any moment loses nothing. (WAL
 * with synchronous=NORMAL: a power failure may lose the last transactions; the next start takes them from the record files.)
 * On a full or broken disk changes of existing objects stay in memory until they can be written. Makes no decisions.
 */
import { dirname } from 'node:path';
import { backup } from 'node:sqlite';
import { type Logger, NetyardError, silentLogger } from '@netyard/core';
import type {
  ContainerRecord,
  ContainerStore,
  ImageRecord,
  ImageStore,
  VolumeRecord,
  VolumeStore,
} from '@netyard/engine';
import type { EndpointRecord, NetworkRecord } from '@netyard/network';
import type { PeerRecord } from '@netyard/peers';
import type { LinkRecord, NetworkStore, SandboxConfig, SandboxState } from '@netyard/sandbox';
import { keepBackups } from './backup.ts';
import { backupPath, databasePath, examineDataRoot, layersPath, recordsPath, unfinishedPath } from './data-root.ts';
import { Database, isDiskError } from './database.ts';
import { decodeRecord, encodeRecord } from './encoding.ts';
import { Persistence } from './persistence.ts';
import { type FoundRecords, RecordWriter } from './record-files.ts';
import { recoverState } from './recover.ts';
import { Reserve, reservePath } from './reserve.ts';
import { checkState } from './state-check.ts';
import { ownersOf, type RecordOwner, type Rows, rowsOf, type TableName } from './tables.ts';
import { marksInMemory, openUnfinishedMarks, type UnfinishedMarks } from './unfinished-marks.ts';

export interface Store extends NetworkStore, ContainerStore, ImageStore, VolumeStore {
  /** Why the last changes are only in memory; undefined when everything is written. */
  writeProblem(): string | undefined;
  /** Synchronous, unless a backup copy is in progress, which is aborted first. */
  close(): void | Promise<void>;
}

/** Opens or creates one file, without record files. `:memory:` for tests. Throws as `Database` does. */
export function openStore(path: string, options: { logger?: Logger } = {}): Store {
  const database = new Database(path);
  const logger = options.logger ?? silentLogger;
  const parts = { path, logger, records: undefined, reserve: undefined };
  return storeOn(
    new Persistence({ ...parts, database, rows: database.read(), identity: database.identity() }),
    marksInMemory(),
  );
}

/**
 * Opens the store of a data root. Throws `conflict` when the database is missing, damaged or older than the existing
 * containers: no decision can be based on it then.
 */
export function openDataRoot(dataRoot: string, options: { logger: Logger; backupEveryMs?: number }): Store {
  const path = databasePath(dataRoot);
  const facts = examineDataRoot(dataRoot);
  const verdict = checkState(facts);
  if (verdict.use === 'none') {
    throw new NetyardError(
      'conflict',
      `${path} does not match the containers below ${dirname(path)}: ${verdict.reason}`,
      {
        hint: `nothing was changed; run \`netyard system recover --data-root ${dataRoot}\` to rebuild it (--dry-run only reports what it would do)`,
      },
    );
  }
  if (verdict.use === 'catch-up') {
    options.logger.warn(
      'a power failure lost the last changes of the database; they are restored from the record files',
    );
    for (const line of recoverState(dataRoot).lines) options.logger.warn(line);
  }
  const reserve = new Reserve(reservePath(dataRoot));
  const { database, records, marks } = openFiles(dataRoot, path, reserve);
  const rows = database.read();
  const persistence = new Persistence({
    database,
    path,
    rows,
    identity: database.identity(),
    records,
    reserve,
    logger: options.logger,
  });
  persistence.begin();
  dropUnmatchedIntents(persistence, marks);
  persistence.refreshFiles(staleFiles(rows, facts.records));
  try {
    reserve.restore();
    database.reserve();
  } catch (error) {
    if (!isDiskError(error)) throw error;
  }
  const endBackups = keepBackups({
    copy: (draft, signal) => backup(database.handle, draft, { progress: () => signal.throwIfAborted() }),
    path: backupPath(dataRoot),
    everyMs: options.backupEveryMs ?? 10 * 60_000,
    logger: options.logger,
  });
  const store = storeOn(persistence, marks);
  return {
    ...store,
    close() {
      const ended = endBackups();
      return ended ? ended.then(() => store.close()) : store.close();
    },
  };
}

interface OpenFiles {
  database: Database;
  records: RecordWriter;
  marks: UnfinishedMarks;
}

/** A full disk must not prevent the daemon from starting. */
function openFiles(dataRoot: string, path: string, reserve: Reserve): OpenFiles {
  const open = (): OpenFiles => {
    const records = new RecordWriter(recordsPath(dataRoot), layersPath(dataRoot));
    const marks = openUnfinishedMarks(unfinishedPath(dataRoot));
    return { records, marks, database: new Database(path) };
  };
  try {
    return open();
  } catch (error) {
    if (!isDiskError(error) || !reserve.release()) throw error;
    return open();
  }
}

/**
 * Intents of an older database that have been finished since have no mark, and marks without an intent or a record belong
 * to work that was finished when the daemon was killed: neither causes a deletion.
 */
function dropUnmatchedIntents(persistence: Persistence, marks: UnfinishedMarks): void {
  const { content, containers } = persistence.rows;
  for (const name of [...content.keys()]) if (!marks.has(name)) persistence.delete('content', name);
  for (const name of marks.names()) {
    const id = name.startsWith(containerMark('')) ? name.slice(containerMark('').length) : undefined;
    if (id === undefined ? !content.has(name) : !containers.has(id)) marks.remove(name);
  }
}

/** Files that differ from the database, and those of objects that it does not have any more. */
function staleFiles(rows: Rows, records: FoundRecords): RecordOwner[] {
  const files = new Map(
    records.files.map((file) => [`${file.owner.kind}/${file.owner.name}`, JSON.stringify(file.rows)]),
  );
  const owners = ownersOf(rows);
  const stale = owners.filter(
    (owner) => files.get(`${owner.kind}/${owner.name}`) !== JSON.stringify(rowsOf(rows, owner)),
  );
  const gone = records.files.map(({ owner }) => owner).filter((owner) => rowsOf(rows, owner).length === 0);
  return [...stale, ...gone];
}

const text = (value: string | null | undefined): string => value ?? '';

function storeOn(persistence: Persistence, marks: UnfinishedMarks): Store {
  return {
    ...networkStore(persistence),
    ...containerTable(persistence, marks),
    ...imageTables(persistence, marks),
    ...volumeTable(persistence),
    writeProblem: () => persistence.writeProblem,
    close: () => persistence.close(),
  };
}

/** The rows' last column, decoded. */
function recordsOf<T>(persistence: Persistence, table: TableName): T[] {
  return [...persistence.rows[table].values()].map((row) => decodeRecord<T>(row.at(-1) ?? 'null'));
}

function networkStore(persistence: Persistence): NetworkStore {
  return {
    networks: () => recordsOf<NetworkRecord>(persistence, 'networks'),
    putNetwork: (record) => persistence.put('networks', [record.id, record.name, encodeRecord(record)]),
    deleteNetwork: (id) =>
      persistence.transaction(() => {
        persistence.delete('networks', id);
        for (const family of ['v4', 'v6']) persistence.delete('cursors', id, family);
      }),
    ...sandboxTable(persistence),
    endpoints: () => recordsOf<EndpointRecord>(persistence, 'endpoints'),
    putEndpoint: (record) => persistence.put('endpoints', [record.id, encodeRecord(record)]),
    deleteEndpoint: (id) => persistence.delete('endpoints', id),
    links: () => recordsOf<LinkRecord>(persistence, 'links'),
    putLink: (link) => persistence.put('links', [link.parentId, link.alias, encodeRecord(link)]),
    deleteLink: (link) => persistence.delete('links', link.parentId, link.alias),
    peers: () => recordsOf<PeerRecord>(persistence, 'peers'),
    putPeer: (record) => persistence.put('peers', [record.name, encodeRecord(record)]),
    deletePeer: (name) => persistence.delete('peers', name),
    ...leaseTable(persistence),
    transaction: (work) => persistence.transaction(work),
  };
}

function sandboxTable(persistence: Persistence): Pick<NetworkStore, 'sandboxes' | 'putSandbox' | 'deleteSandbox'> {
  return {
    sandboxes: () =>
      [...persistence.rows.sandboxes.values()].map(([, config, state]) => ({
        config: decodeRecord<SandboxConfig>(text(config)),
        ...(state === null || state === undefined ? {} : { state: decodeRecord<SandboxState>(state) }),
      })),
    putSandbox: (config, state) =>
      persistence.put('sandboxes', [
        config.containerId,
        encodeRecord(config),
        state === undefined ? null : encodeRecord(state),
      ]),
    deleteSandbox: (containerId) => persistence.delete('sandboxes', containerId),
  };
}

function leaseTable(
  persistence: Persistence,
): Pick<NetworkStore, 'leases' | 'putLease' | 'deleteLease' | 'cursor' | 'putCursor'> {
  return {
    leases: (networkId) =>
      [...persistence.rows.leases.values()]
        .filter(([id]) => id === networkId)
        .map(([, address, containerId]) => ({ address: text(address), containerId: text(containerId) })),
    putLease: (networkId, address, containerId) => persistence.put('leases', [networkId, address, containerId]),
    deleteLease: (networkId, address) => persistence.delete('leases', networkId, address),
    cursor: (networkId, family) => persistence.rows.cursors.get(`${networkId}\0${family}`)?.[2] ?? undefined,
    putCursor: (networkId, family, address) => persistence.put('cursors', [networkId, family, address]),
  };
}

const containerMark = (id: string): string => `container ${id}`;

function containerTable(persistence: Persistence, marks: UnfinishedMarks): ContainerStore {
  const put = (record: ContainerRecord): void =>
    persistence.put('containers', [record.id, record.name, encodeRecord(record)]);
  return {
    containers: () => recordsOf<ContainerRecord>(persistence, 'containers'),
    putContainer(record) {
      put(record);
      marks.remove(containerMark(record.id));
    },
    putUnfinishedContainer(record) {
      const isNew = !persistence.rows.containers.has(record.id);
      try {
        marks.add(containerMark(record.id));
      } catch (error) {
        if (isNew || !isDiskError(error)) throw error; // a removal goes on; one that a crash interrupts is reported
      }
      put(record);
    },
    isUnfinishedContainer: (id) => marks.has(containerMark(id)),
    deleteContainer(id) {
      persistence.delete('containers', id);
      marks.remove(containerMark(id));
    },
  };
}

function imageTables(persistence: Persistence, marks: UnfinishedMarks): ImageStore {
  return {
    images: () => recordsOf<ImageRecord>(persistence, 'images'),
    putImage: (record) => persistence.put('images', [record.id, encodeRecord(record)]),
    deleteImage: (id) => persistence.delete('images', id),
    contentIntents: () => [...persistence.rows.content.keys()].filter((name) => marks.has(name)),
    putContentIntent(name) {
      persistence.put('content', [name]);
      marks.add(name);
    },
    deleteContentIntent(name) {
      marks.remove(name);
      persistence.delete('content', name);
    },
  };
}

function volumeTable(persistence: Persistence): VolumeStore {
  return {
    volumes: () => recordsOf<VolumeRecord>(persistence, 'volumes'),
    putVolume: (record) => persistence.put('volumes', [record.name, encodeRecord(record)]),
    deleteVolume: (name) => persistence.delete('volumes', name),
  };
}
