/**
 * The tables of the database as data: their columns, which of them are the key, and which record file contains a row.
 */

/** The values of one row, in the order of the columns. */
export type Row = readonly (string | null)[];

export interface TableSpec {
  columns: readonly string[];
  /** Number of columns, from the first on, that form the key. */
  keys: number;
  order: string;
  /** Kind of the record file that contains its rows; without one the rows can be derived from others. */
  kind?: RecordKind;
  /** A new row takes space permanently: on a full disk it is rejected instead of held in memory. */
  creates?: true;
}

export const recordKinds = ['containers', 'images', 'volumes', 'networks', 'peers', 'endpoints'] as const;
export type RecordKind = (typeof recordKinds)[number];

export const tables = {
  networks: { columns: ['id', 'name', 'record'], keys: 1, order: 'rowid', kind: 'networks', creates: true },
  sandboxes: { columns: ['container_id', 'config', 'state'], keys: 1, order: 'rowid', kind: 'containers' },
  links: { columns: ['parent_id', 'alias', 'record'], keys: 2, order: 'put', kind: 'containers' },
  leases: { columns: ['network_id', 'address', 'container_id'], keys: 2, order: 'address' },
  cursors: { columns: ['network_id', 'family', 'address'], keys: 2, order: 'network_id, family' },
  containers: { columns: ['id', 'name', 'record'], keys: 1, order: 'rowid', kind: 'containers', creates: true },
  images: { columns: ['id', 'record'], keys: 1, order: 'rowid', kind: 'images', creates: true },
  volumes: { columns: ['name', 'record'], keys: 1, order: 'rowid', kind: 'volumes', creates: true },
  peers: { columns: ['name', 'record'], keys: 1, order: 'rowid', kind: 'peers', creates: true },
  endpoints: { columns: ['id', 'record'], keys: 1, order: 'rowid', kind: 'endpoints', creates: true },
  content: { columns: ['name'], keys: 1, order: 'rowid' },
} as const satisfies Record<string, TableSpec>;

export type TableName = keyof typeof tables;
export const tableNames = Object.keys(tables) as TableName[];
export const specOf = (table: TableName): TableSpec => tables[table];

/** All rows of a database, by table and key. */
export type Rows = Record<TableName, Map<string, Row>>;

export const emptyRows = (): Rows =>
  Object.fromEntries(tableNames.map((table) => [table, new Map<string, Row>()])) as Rows;

/** No column contains a NUL. */
export const keyOf = (table: TableName, row: Row): string => row.slice(0, tables[table].keys).join('\0');

/** The object of a record file: one container, image, volume, network, peer or endpoint. */
export interface RecordOwner {
  kind: RecordKind;
  name: string;
}

export function ownerOf(table: TableName, key: string): RecordOwner | undefined {
  const { kind } = specOf(table);
  return kind === undefined ? undefined : { kind, name: key.split('\0')[0] ?? '' };
}

/** The rows of one record file. */
export function rowsOf(rows: Rows, owner: RecordOwner): [TableName, Row][] {
  return tableNames
    .filter((table) => specOf(table).kind === owner.kind)
    .flatMap((table) => {
      if (tables[table].keys === 1) {
        const row = rows[table].get(owner.name);
        return row ? [[table, row] as [TableName, Row]] : [];
      }
      return [...rows[table].values()]
        .filter(([name]) => name === owner.name)
        .map((row): [TableName, Row] => [table, row]);
    });
}

/** The objects of all record files that the rows require. */
export function ownersOf(rows: Rows): RecordOwner[] {
  const owners = new Map<string, RecordOwner>();
  for (const table of tableNames)
    for (const key of rows[table].keys()) {
      const owner = ownerOf(table, key);
      if (owner) owners.set(`${owner.kind}/${owner.name}`, owner);
    }
  return [...owners.values()];
}
