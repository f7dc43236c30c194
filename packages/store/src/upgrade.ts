/**
 * Upgrades records that were written before networks had subnets and addresses per family: databases up to schema version
 * 3, and record files of format 1. Pure, except for `upgradeRecords`.
 */
import type { DatabaseSync } from 'node:sqlite';
import { messageOf } from '@netyard/core';
import { decodeRecord, encodeRecord } from './encoding.ts';
import type { Row, TableName } from './tables.ts';

interface OldPool {
  subnet: string;
}

interface OldNetwork {
  ipam?: { driver: string; pools: OldPool[] };
  enableIpv6?: boolean;
}

interface OldEndpointConfig {
  ipv4Address?: string;
  ipv6Address?: string;
}

interface OldEndpoint {
  ipv4Address?: string;
  ipv4PrefixLength?: number;
  ipv4Gateway?: string;
  ipv6Address?: string;
  ipv6PrefixLength?: number;
  ipv6Gateway?: string;
  config?: OldEndpointConfig;
}

interface WithEndpoints<T> {
  endpoints?: T[];
}

const isIpv6 = ({ subnet }: OldPool): boolean => subnet.includes(':');

function upgradeNetwork({ ipam, enableIpv6 = false, ...rest }: OldNetwork): object {
  if (!ipam) return rest;
  const { driver, pools } = ipam;
  const v6 = enableIpv6 ? { v6: pools.filter(isIpv6) } : {};
  return { ...rest, ipam: { driver, v4: pools.filter((pool) => !isIpv6(pool)), ...v6 } };
}

function upgradeEndpointConfig({ ipv4Address, ipv6Address, ...rest }: OldEndpointConfig): object {
  const addresses = { ...(ipv4Address ? { v4: ipv4Address } : {}), ...(ipv6Address ? { v6: ipv6Address } : {}) };
  return { ...rest, ...(Object.keys(addresses).length > 0 ? { addresses } : {}) };
}

function upgradeEndpoint(old: OldEndpoint): object {
  const { ipv4Address, ipv4PrefixLength, ipv4Gateway, ipv6Address, ipv6PrefixLength, ipv6Gateway, config, ...rest } =
    old;
  const v4 = upgradeAddress(ipv4Address, ipv4PrefixLength, ipv4Gateway);
  const v6 = upgradeAddress(ipv6Address, ipv6PrefixLength, ipv6Gateway);
  return {
    ...rest,
    addresses: { ...(v4 ? { v4 } : {}), ...(v6 ? { v6 } : {}) },
    ...(config ? { config: upgradeEndpointConfig(config) } : {}),
  };
}

const upgradeAddress = (address = '', prefixLength = 0, gateway = ''): object | undefined =>
  address === '' ? undefined : { address, prefixLength, ...(gateway === '' ? {} : { gateway }) };

const withEndpoints =
  <T>(upgrade: (endpoint: T) => object) =>
  ({ endpoints, ...rest }: WithEndpoints<T>): object => ({
    ...rest,
    ...(endpoints ? { endpoints: endpoints.map(upgrade) } : {}),
  });

const upgradeConfig = withEndpoints(upgradeEndpointConfig);
const upgradeState = withEndpoints(upgradeEndpoint);

function upgradeContainer(record: { config?: WithEndpoints<OldEndpointConfig> }): object {
  return record.config ? { ...record, config: upgradeConfig(record.config) } : record;
}

/** Throws for a text that is no record. */
function upgradeText<T extends object>(text: string | null | undefined, upgrade: (record: T) => object): string | null {
  return text === null || text === undefined ? null : encodeRecord(upgrade(decodeRecord<T>(text)));
}

/** One row, as read from a record file or the database. */
export function upgradeRow(table: TableName, row: Row): Row {
  const [first = null, second = null, third] = row;
  if (table === 'networks') return [first, second, upgradeText(third, upgradeNetwork)];
  if (table === 'containers') return [first, second, upgradeText(third, upgradeContainer)];
  if (table === 'sandboxes') return [first, upgradeText(second, upgradeConfig), upgradeText(third, upgradeState)];
  return row;
}

/** Throws with the name of the row, as the check of a database in the current schema does. */
function upgradeOrName(table: TableName, row: Row): Row {
  try {
    return upgradeRow(table, row);
  } catch (error) {
    throw new Error(`the row ${row[0]} of ${table} is damaged: ${messageOf(error)}`, { cause: error });
  }
}

/** Upgrades all records of a database, inside the caller's transaction. */
export function upgradeRecords(database: DatabaseSync): void {
  const columns = {
    networks: ['id', 'name', 'record'],
    containers: ['id', 'name', 'record'],
    sandboxes: ['container_id', 'config', 'state'],
  } as const;
  for (const table of ['networks', 'containers', 'sandboxes'] as const) {
    const [key, second, third] = columns[table];
    const update = database.prepare(`UPDATE ${table} SET ${second} = ?, ${third} = ? WHERE ${key} = ?`);
    for (const line of database.prepare(`SELECT ${columns[table].join(', ')} FROM ${table}`).all()) {
      const old = columns[table].map((column) => (line[column] === null ? null : String(line[column])));
      const [id = null, ...rest] = upgradeOrName(table, old);
      update.run(...rest, id);
    }
  }
}
