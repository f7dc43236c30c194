/** Inspects a data root without a lock and without changing it, also while a daemon uses it. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as setTimeoutPromise } from 'node:timers/promises';
import type { HostCheck } from '@netyard/sandbox';
import { backupPath, databasePath, examineDataRoot, layersPath, unfinishedPath } from './data-root.ts';
import { listFolder } from './record-files.ts';
import { examineSnapshot, supportedSchema, withSnapshot } from './snapshot.ts';
import { reportState, type StateFacts } from './state-report.ts';
import { openStore, type Store } from './store.ts';

export interface StateInspection {
  daemonRuns: boolean;
}

/** A daemon that just writes is seen between two of its steps: what a second look does not confirm is not reported. */
const confirmMs = 500;

export async function inspectState(dataRoot: string, { daemonRuns }: StateInspection): Promise<HostCheck[]> {
  const first = reportState(readFacts(dataRoot, daemonRuns));
  const isGood = ({ grade }: HostCheck): boolean => grade === 'ok' || grade === 'info';
  if (!daemonRuns || first.every(isGood)) return first;
  await setTimeoutPromise(confirmMs);
  const before = new Set(first.map(({ text }) => text));
  return reportState(readFacts(dataRoot, daemonRuns)).filter((check) => isGood(check) || before.has(check.text));
}

function readFacts(dataRoot: string, daemonRuns: boolean): StateFacts {
  const { database, schema } = examineSnapshot(databasePath(dataRoot));
  return {
    ...examineDataRoot(dataRoot, () => database),
    dataRoot,
    schema: { found: schema, supported: supportedSchema },
    backup: readBackup(dataRoot),
    layers: listFolder(join(layersPath(dataRoot), 'layers')),
    unfinished: listFolder(unfinishedPath(dataRoot)).map((name) => decodeURIComponent(name)),
    daemonRuns,
  };
}

function readBackup(dataRoot: string): StateFacts['backup'] {
  const path = backupPath(dataRoot);
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found) return undefined;
  const { database } = examineSnapshot(path);
  const problem = database !== 'missing' && 'problem' in database ? database.problem : undefined;
  return { ageMs: Math.max(0, Date.now() - found.mtimeMs), ...(problem === undefined ? {} : { problem }) };
}

/** Calls `use` with the state of a data root; changes are made to a copy. Undefined without a database. */
export async function withStateCopy<T>(dataRoot: string, use: (store: Store) => Promise<T>): Promise<T | undefined> {
  const path = databasePath(dataRoot);
  const { database } = examineSnapshot(path);
  if (database === 'missing' || 'problem' in database) return undefined;
  return await withSnapshot(path, async (copy) => {
    const store = openStore(copy);
    try {
      return await use(store);
    } finally {
      await store.close();
    }
  });
}
