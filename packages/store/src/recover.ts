/**
 * Rebuilds the database of a data root from what remains: the database itself as far as it is readable, its backup
 * copy, the record files, and the directories of volumes. Deletes nothing: files that it replaces are renamed.
 */

import { randomUUID } from 'node:crypto';
import { existsSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { isFullId, isName } from '@netyard/core';
import type { ContainerRecord, VolumeRecord } from '@netyard/engine';
import type { EndpointRecord } from '@netyard/network';
import type { SandboxConfig, SandboxState } from '@netyard/sandbox';
import { backupPath, databasePath, examineDatabase, examineDataRoot } from './data-root.ts';
import { Database, type Identity } from './database.ts';
import { decodeRecord, encodeRecord } from './encoding.ts';
import { describeLostImages } from './lost-images.ts';
import { mergeRecords } from './merge.ts';
import { type FoundRecords, markersOf } from './record-files.ts';
import { examineCopy } from './snapshot.ts';
import { checkState, count, type DataRootFacts, nameOf } from './state-check.ts';
import { type Rows, tableNames } from './tables.ts';

export interface RecoverReport {
  /** False: the database is consistent, and nothing was done. */
  needed: boolean;
  lines: string[];
}

interface Base {
  identity: Identity;
  rows: Rows;
}

/** Only while no daemon runs on the data root, except for a dry run, which reads copies and changes nothing. */
export function recoverState(dataRoot: string, options: { dryRun?: boolean } = {}): RecoverReport {
  const examine = options.dryRun ? examineCopy : examineDatabase;
  const facts = examineDataRoot(dataRoot, examine);
  const verdict = checkState(facts);
  if (verdict.use === 'new')
    return { needed: false, lines: ['nothing to recover: there are no containers, images or volumes'] };
  if (verdict.use === 'database')
    return { needed: false, lines: ['nothing to recover: the database matches the containers'] };
  const lines = [verdict.use === 'none' ? verdict.reason : 'the database lacks its last transactions'];
  const base = chooseBase(dataRoot, facts, lines, examine);
  const merged = mergeRecords({
    base,
    records: facts.records,
    hasContainer: (id) => facts.folders.containers.includes(id),
  });
  lines.push(...merged.lines, ...addVolumes(dataRoot, merged.rows, facts.folders.volumes));
  deriveLeases(merged.rows);
  lines.push(...reportUnknown(dataRoot, merged.rows, facts), ...describeLostImages(dataRoot, merged.rows));
  lines.push(...summary(merged.rows));
  if (!options.dryRun) lines.push(...replaceDatabase(dataRoot, merged.rows, nextIdentity(facts, base)));
  return { needed: true, lines };
}

/** The newest database that is intact and belongs to the record files. */
function chooseBase(
  dataRoot: string,
  facts: DataRootFacts,
  lines: string[],
  examine: typeof examineDatabase,
): Base | undefined {
  const epoch = epochOf(facts.records);
  const candidates = [
    { name: 'the database', found: facts.database },
    { name: 'the backup copy', found: examine(backupPath(dataRoot)) },
    { name: 'the previous backup copy', found: examine(`${backupPath(dataRoot)}.1`) },
  ];
  const usable = candidates.flatMap(({ name, found }) => {
    if (found === 'missing' || 'problem' in found) return [];
    const identity = found.identity ?? { epoch: epoch ?? randomUUID(), generation: 0 };
    if (epoch !== undefined && identity.epoch !== epoch) {
      lines.push(`${name} belongs to other containers and is not used`);
      return [];
    }
    return [{ name, identity, rows: found.rows }];
  });
  usable.sort((a, b) => b.identity.generation - a.identity.generation);
  const [best] = usable;
  lines.push(
    best ? `starts from ${best.name} (transaction ${best.identity.generation})` : 'starts from the record files alone',
  );
  return best;
}

/** The record files' own marker first: the copy beside the layers is needed when those are lost. */
const epochOf = ({ marker, files, layerMarker }: FoundRecords): string | undefined =>
  marker?.epoch ?? files[0]?.epoch ?? layerMarker?.epoch;

function nextIdentity({ records }: DataRootFacts, base: Base | undefined): Identity {
  const generations = [
    base?.identity.generation ?? 0,
    ...markersOf(records).map(({ generation }) => generation),
    ...records.files.map(({ generation }) => generation),
  ];
  const epoch = epochOf(records) ?? base?.identity.epoch ?? randomUUID();
  // Files of another epoch than the chosen one are merged as well; the next start rewrites them.
  return { epoch, generation: Math.max(...generations) + 1 };
}

/**
 * A directory of a volume without a record: only its name is known. Never anonymous, so that prune does not remove it.
 */
function addVolumes(dataRoot: string, rows: Rows, folders: readonly string[]): string[] {
  const missing = folders.filter(
    (name) => isName(name) && !rows.volumes.has(name) && existsSync(join(dataRoot, 'volumes', name, '_data')),
  );
  for (const name of missing) {
    const mountpoint = join(dataRoot, 'volumes', name, '_data');
    const created = BigInt(Math.trunc(statSync(mountpoint).mtimeMs)) * 1_000_000n;
    const record: VolumeRecord = {
      name,
      driver: 'local',
      mountpoint,
      created,
      labels: {},
      options: {},
      anonymous: false,
    };
    rows.volumes.set(name, [name, encodeRecord(record)]);
  }
  return missing.map((name) => `volume ${name}: only its directory is left; labels and options are lost`);
}

/** Addresses that containers and attached endpoints have or requested. */
function deriveLeases(rows: Rows): void {
  rows.leases.clear();
  const ids = new Map([...rows.networks.values()].map(([id, name]) => [name ?? '', id ?? '']));
  for (const [containerId, config, state] of rows.sandboxes.values()) {
    const lease = (networkId: string | undefined, address: string | undefined): void => {
      if (networkId && address && containerId)
        rows.leases.set(`${networkId}\0${address}`, [networkId, address, containerId]);
    };
    for (const { network, addresses = {} } of decodeRecord<SandboxConfig>(config ?? 'null')?.endpoints ?? [])
      for (const address of [addresses.v4, addresses.v6]) lease(ids.get(network) ?? network, address);
    for (const { networkId, addresses } of decodeRecord<SandboxState | null>(state ?? 'null')?.endpoints ?? [])
      for (const own of [addresses.v4, addresses.v6]) lease(networkId, own?.address);
  }
  for (const [id, record] of rows.endpoints.values()) {
    const { endpoint } = decodeRecord<EndpointRecord>(record ?? 'null');
    for (const own of [endpoint.addresses.v4, endpoint.addresses.v6])
      if (id && own) rows.leases.set(`${endpoint.networkId}\0${own.address}`, [endpoint.networkId, own.address, id]);
  }
}

function reportUnknown(dataRoot: string, rows: Rows, facts: DataRootFacts): string[] {
  const damaged = facts.records.damaged.map(
    ({ owner, path, reason }) => `${nameOf(owner)}: its record file ${path} is damaged (${reason})`,
  );
  const unknown = facts.folders.containers
    .filter((id) => isFullId(id) && !rows.containers.has(id))
    .map(
      (id) =>
        `container ${id}: its record is lost; its files are kept in ${join(dataRoot, 'overlay/containers', id, 'upper')}`,
    );
  return [...damaged, ...unknown];
}

function summary(rows: Rows): string[] {
  const containers = [...rows.containers.values()].map(([, , record]) =>
    decodeRecord<ContainerRecord>(record ?? 'null'),
  );
  const listed = containers.map(
    ({ id, name, state }) => `container ${name} (${id.slice(0, 12)}), last seen ${state.status}`,
  );
  const kinds = ['container', 'image', 'volume', 'network', 'peer'] as const;
  return [...listed, kinds.map((kind) => count(rows[`${kind}s`].size, kind)).join(', ')];
}

/** The new database is complete and verified before it replaces the old one. */
function replaceDatabase(dataRoot: string, rows: Rows, identity: Identity): string[] {
  const path = databasePath(dataRoot);
  const stamp = new Date().toISOString().replaceAll(/[:.]/g, '-');
  const draft = `${path}.recovered-${stamp}`;
  const database = new Database(draft);
  try {
    const changes = tableNames.flatMap((table) => [...rows[table]].map(([key, row]) => ({ table, key, row })));
    database.write(changes, identity);
    const problem = database.check();
    if (problem !== undefined) throw new Error(`the new database is damaged: ${problem}`);
  } finally {
    database.close();
  }
  const aside: string[] = [];
  for (const suffix of ['', '-wal', '-shm']) {
    if (!existsSync(`${path}${suffix}`)) continue;
    renameSync(`${path}${suffix}`, `${path}.aside-${stamp}${suffix}`);
    aside.push(`${path}.aside-${stamp}${suffix}`);
  }
  renameSync(draft, path);
  return [...aside.map((file) => `the previous file is now ${file}`), `${path} is written; start the daemon`];
}
