/**
 * The schema, as a list of migrations. Step n converts a database of version n to n + 1; `PRAGMA user_version` is the
 * version of a file. A released step is never edited: add another.
 */
import type { DatabaseSync } from 'node:sqlite';
import { NetyardError } from '@netyard/core';
import { upgradeRecords } from './upgrade.ts';

/** SQL, or a function for what SQL cannot express. */
export type Migration = string | ((database: DatabaseSync) => void);

export const migrations: readonly Migration[] = [
  `CREATE TABLE networks (id TEXT PRIMARY KEY, name TEXT NOT NULL, record TEXT NOT NULL) STRICT;
   CREATE TABLE sandboxes (container_id TEXT PRIMARY KEY, config TEXT NOT NULL, state TEXT) STRICT;
   CREATE TABLE links (
     put INTEGER PRIMARY KEY,
     parent_id TEXT NOT NULL,
     alias TEXT NOT NULL,
     record TEXT NOT NULL,
     UNIQUE (parent_id, alias)
   ) STRICT;
   CREATE TABLE leases (
     network_id TEXT NOT NULL,
     address TEXT NOT NULL,
     container_id TEXT NOT NULL,
     PRIMARY KEY (network_id, address)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE cursors (network_id TEXT PRIMARY KEY, address TEXT NOT NULL) STRICT;
   CREATE TABLE containers (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, record TEXT NOT NULL) STRICT;
   CREATE TABLE images (id TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT;
   CREATE TABLE volumes (name TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT;`,
  `CREATE TABLE peers (name TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT;`,
  // Blobs and layers that are being added or removed; the database's identity and its number of transactions.
  `CREATE TABLE content (name TEXT PRIMARY KEY) STRICT;
   CREATE TABLE identity (one INTEGER PRIMARY KEY, epoch TEXT NOT NULL, generation INTEGER NOT NULL) STRICT;`,
  // Subnets, addresses and cursors per address family.
  (database) => {
    database.exec(`CREATE TABLE family_cursors (
        network_id TEXT NOT NULL,
        family TEXT NOT NULL,
        address TEXT NOT NULL,
        PRIMARY KEY (network_id, family)
      ) STRICT, WITHOUT ROWID;
      INSERT INTO family_cursors SELECT network_id, 'v4', address FROM cursors;
      DROP TABLE cursors;
      ALTER TABLE family_cursors RENAME TO cursors;`);
    upgradeRecords(database);
  },
  `CREATE TABLE endpoints (id TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT;`,
];

/** Migrates the file, each step in a transaction of its own. Rejects a file of a newer Netyard. */
export function migrate(database: DatabaseSync, path: string): void {
  const found = Number(database.prepare('PRAGMA user_version').get()?.['user_version'] ?? 0);
  if (found > migrations.length) {
    throw new NetyardError(
      'conflict',
      `${path} has schema version ${found}; this Netyard supports versions up to ${migrations.length}`,
      {
        hint: 'start the newer Netyard that wrote it, or use another --data-root',
      },
    );
  }
  migrations.slice(found).forEach((step, index) => {
    database.exec('BEGIN IMMEDIATE');
    try {
      if (typeof step === 'string') database.exec(step);
      else step(database);
      database.exec(`PRAGMA user_version = ${found + index + 1}; COMMIT;`);
    } catch (error) {
      if (database.isTransaction) database.exec('ROLLBACK');
      throw error;
    }
  });
}
