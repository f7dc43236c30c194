/** Reports the condition of a data root: schema, verdict, backup, data without a record, record files. Pure. */
import { join } from 'node:path';
import { isFullId } from '@netyard/core';
import type { ContainerRecord, ImageRecord } from '@netyard/engine';
import type { HostCheck } from '@netyard/sandbox';
import { decodeRecord } from './encoding.ts';
import { checkState, type DataRootFacts, nameOf } from './state-check.ts';
import { ownersOf, type RecordOwner, type Rows, rowsOf } from './tables.ts';

export interface StateFacts extends DataRootFacts {
  dataRoot: string;
  schema: { found: number | undefined; supported: number };
  /** The newest verified copy, its age in milliseconds, and what is wrong with it now. */
  backup: { ageMs: number; problem?: string } | undefined;
  /** Image layers, by chain id without `sha256:`. */
  layers: readonly string[];
  /** Names of unfinished work: `container ID`, `layer CHAIN-ID`, `blob DIGEST`. */
  unfinished: readonly string[];
  daemonRuns: boolean;
}

export function reportState(facts: StateFacts): HostCheck[] {
  const { database } = facts;
  const rows = database !== 'missing' && 'rows' in database ? database.rows : undefined;
  return [
    ...reportSchema(facts),
    ...reportVerdict(facts),
    ...(rows ? [...reportBackup(facts), ...reportUnknown(facts, rows), ...reportRecords(facts, rows)] : []),
    ...facts.records.damaged.map(({ owner, path, reason }) => ({
      id: 'records',
      grade: 'warning' as const,
      text: `record file ${path} of ${nameOf(owner)} is damaged: ${reason}`,
      fix: rows ? 'restart the daemon, which writes it again from the database' : recoverCommand(facts),
    })),
  ];
}

const recoverCommand = ({ dataRoot }: StateFacts): string =>
  `run \`netyard system recover --dry-run --data-root ${dataRoot}\`, then without --dry-run`;

function reportSchema({ schema, dataRoot }: StateFacts): HostCheck[] {
  const { found, supported } = schema;
  if (found === undefined || found === supported) return [];
  const path = join(dataRoot, 'netyard.db');
  if (found > supported)
    return [
      {
        id: 'schema',
        grade: 'broken',
        text: `${path} has schema version ${found}; this Netyard supports versions up to ${supported}`,
        fix: 'start the newer Netyard that wrote it, or use another --data-root',
      },
    ];
  return [
    {
      id: 'schema',
      grade: 'info',
      text: `${path} has schema version ${found}; the next start of the daemon converts it to ${supported}`,
      fix: `to return to the older Netyard later, copy ${dataRoot} before the daemon starts`,
    },
  ];
}

function reportVerdict(facts: StateFacts): HostCheck[] {
  const { schema } = facts;
  if (schema.found !== undefined && schema.found > schema.supported) return [];
  const verdict = checkState(facts);
  const path = join(facts.dataRoot, 'netyard.db');
  if (verdict.use === 'new')
    return [{ id: 'database', grade: 'ok', text: `${facts.dataRoot} has no containers, images or volumes` }];
  if (verdict.use === 'none')
    return [{ id: 'database', grade: 'broken', text: `${path}: ${verdict.reason}`, fix: recoverCommand(facts) }];
  if (verdict.use === 'catch-up')
    return [
      {
        id: 'database',
        grade: 'warning',
        text: `${path} lacks its last transactions after a power failure; the record files have them`,
        fix: 'start the daemon, which restores them',
      },
    ];
  return [{ id: 'database', grade: 'ok', text: `${path} matches the containers (schema ${schema.found ?? '?'})` }];
}

// Backup

const lateBackupMs = 60 * 60_000;

function reportBackup({ backup, dataRoot, daemonRuns }: StateFacts): HostCheck[] {
  const path = join(dataRoot, 'netyard.db.backup');
  const check = (grade: HostCheck['grade'], text: string, fix?: string): HostCheck[] => [
    { id: 'backup', grade, text, ...(fix === undefined ? {} : { fix }) },
  ];
  if (!backup)
    return check('info', `${path} does not exist yet`, 'keep the daemon running: it makes a copy every ten minutes');
  if (backup.problem !== undefined)
    return check('warning', `${path} is damaged: ${backup.problem}`, `delete ${path}: the daemon makes a new one`);
  const text = `the last verified copy of the database is ${formatAge(backup.ageMs)} old`;
  if (backup.ageMs < lateBackupMs) return check('ok', text);
  if (!daemonRuns) return check('info', text, 'start the daemon: it makes a copy every ten minutes');
  return check('warning', text, `run \`df ${dataRoot}\` and read the daemon's log for "backup copy"`);
}

function formatAge(milliseconds: number): string {
  const minutes = Math.floor(milliseconds / 60_000);
  if (minutes < 120) return `${minutes} minutes`;
  return minutes < 48 * 60 ? `${Math.floor(minutes / 60)} hours` : `${Math.floor(minutes / 60 / 24)} days`;
}

// Data without a record

function reportUnknown({ dataRoot, folders, layers, unfinished }: StateFacts, rows: Rows): HostCheck[] {
  const marked = new Set(unfinished);
  const containers = folders.containers.filter(
    (id) => isFullId(id) && !rows.containers.has(id) && !marked.has(`container ${id}`),
  );
  const known = knownLayers(rows);
  const orphans = layers.filter((hex) => !known.has(`sha256:${hex}`) && !marked.has(`layer sha256:${hex}`));
  const fix = 'run `netyard system cleanup --unknown-data --dry-run` to list what could be removed';
  const unknown = (text: string, instruction: string): HostCheck => ({
    id: 'unknown data',
    grade: 'warning',
    text,
    fix: instruction,
  });
  return [
    ...containers.map((id) => {
      const folder = join(dataRoot, 'overlay/containers', id);
      return unknown(`container ${id} has no record: ${folder} is kept`, `copy ${folder}/upper if you need it; ${fix}`);
    }),
    ...(orphans.length === 0
      ? []
      : [
          unknown(
            `${orphans.length} layers have no record: ${listSome(orphans, join(dataRoot, 'overlay/layers'))}`,
            fix,
          ),
        ]),
    ...(containers.length + orphans.length > 0
      ? []
      : [{ id: 'unknown data', grade: 'ok' as const, text: 'every container folder and layer has a record' }]),
  ];
}

const shownLayers = 3;

function listSome(names: readonly string[], folder: string): string {
  const shown = names.slice(0, shownLayers).map((name) => join(folder, name));
  return [...shown, ...(names.length > shownLayers ? ['…'] : [])].join(', ');
}

function knownLayers(rows: Rows): Set<string> {
  const images = [...rows.images.values()].map(([, record]) => decodeRecord<ImageRecord>(record ?? 'null'));
  const containers = [...rows.containers.values()].map(([, , record]) =>
    decodeRecord<ContainerRecord>(record ?? 'null'),
  );
  return new Set([
    ...images.flatMap((image) => (image.layers ?? []).map(({ chainId }) => chainId)),
    ...containers.flatMap((container) => container.layers ?? []),
  ]);
}

// Record files

/** Disagreements that the verdict tolerates: the daemon's next start writes these files again. */
function reportRecords({ database, records, schema }: StateFacts, rows: Rows): HostCheck[] {
  if (schema.found !== schema.supported) return []; // the files are in the older format, too
  const generation = database !== 'missing' && 'rows' in database ? (database.identity?.generation ?? 0) : 0;
  const textOf = ({ kind, name }: RecordOwner): string => `${kind}/${name}`;
  const damaged = new Set(records.damaged.map(({ owner }) => textOf(owner)));
  const files = new Map(records.files.map((file) => [textOf(file.owner), file]));
  const differing = ownersOf(rows).flatMap((owner) => {
    if (damaged.has(textOf(owner))) return [];
    const file = files.get(textOf(owner));
    if (!file) return [`${nameOf(owner)} has no record file`];
    if (file.generation > generation) return [];
    return JSON.stringify(file.rows) === JSON.stringify(rowsOf(rows, owner))
      ? []
      : [`the record file of ${nameOf(owner)} differs from the database`];
  });
  const surplus = records.files
    .filter(({ owner, generation: own }) => own <= generation && rowsOf(rows, owner).length === 0)
    .map(({ owner }) => `the database has no ${nameOf(owner)}, but a record file has`);
  const texts = [...differing, ...surplus];
  if (texts.length === 0)
    return damaged.size > 0 ? [] : [{ id: 'records', grade: 'ok', text: `${files.size} record files match` }];
  const fix = 'restart the daemon, which writes the record files again from the database';
  return texts.map((text) => ({ id: 'records', grade: 'warning', text, fix }));
}
