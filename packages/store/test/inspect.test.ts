/** What an inspection of a data root reports: while a store is open and locks the database, and after damage. */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { newId, silentLogger } from '@netyard/core';
import type { ContainerRecord, ImageRecord } from '@netyard/engine';
import type { HostCheck } from '@netyard/sandbox';
import { inspectState, openDataRoot, recoverState, type Store, withStateCopy } from '../src/index.ts';

let root: string;
let store: Store;
let isOpen: boolean;
let one: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'netyard-inspect-'));
  reopen();
  one = newId();
  mkdirSync(join(root, 'overlay/containers', one), { recursive: true });
  mkdirSync(join(root, 'overlay/layers', 'a'.repeat(64)), { recursive: true });
  const layers = [{ chainId: `sha256:${'a'.repeat(64)}` }];
  store.putImage({ id: 'sha256:1', tags: ['a:b'], lastTagged: 0n, layers } as ImageRecord);
  store.putContainer({ id: one, name: 'one', created: 5n, layers: [], state: {} } as unknown as ContainerRecord);
});
afterEach(async () => {
  await closeStore();
  rmSync(root, { recursive: true });
});

function reopen(backupEveryMs = 600_000): void {
  store = openDataRoot(root, { logger: silentLogger, backupEveryMs });
  isOpen = true;
}

async function closeStore(): Promise<void> {
  if (isOpen) await store.close();
  isOpen = false;
}

const failed = (checks: readonly HostCheck[]): HostCheck[] =>
  checks.filter(({ grade }) => grade === 'warning' || grade === 'broken');
const inspectClosed = async (): Promise<HostCheck[]> => {
  await closeStore();
  return failed(await inspectState(root, { daemonRuns: false }));
};
const list = (): string[] => readdirSync(root, { recursive: true }).map(String).sort();
const recordFile = (): string => join(root, 'records/containers', `${one}.json`);

test('an intact data root has no findings, also while a store locks it, and nothing in it changes', async () => {
  const before = list();
  const checks = await inspectState(root, { daemonRuns: true });
  assert.deepEqual(failed(checks), []);
  assert.deepEqual(
    checks.map(({ id }) => id),
    ['database', 'backup', 'unknown data', 'records'],
  );
  assert.deepEqual(list(), before);
  assert.deepEqual(await inspectClosed(), []);
});

test('a dry run of recover reads a data root that a store locks, and changes nothing', () => {
  const before = list();
  assert.match(recoverState(root, { dryRun: true }).lines.join(), /nothing to recover/);
  assert.deepEqual(list(), before);
});

test('a dry run of recover does not write to a damaged data root', async () => {
  await closeStore();
  rmSync(join(root, 'netyard.db'));
  const before = list();
  const { needed, lines } = recoverState(root, { dryRun: true });
  assert.equal(needed, true);
  assert.match(lines.join('\n'), /container one/);
  assert.deepEqual(list(), before);
  const [finding] = failed(await inspectState(root, { daemonRuns: false }));
  assert.equal(finding?.grade, 'broken');
  assert.match(finding.fix ?? '', /^run `netyard system recover --dry-run --data-root /);
  recoverState(root);
  assert.deepEqual(failed(await inspectState(root, { daemonRuns: false })), []);
});

const schemaOf = (change: (found: number) => number): number => {
  const database = new DatabaseSync(join(root, 'netyard.db'));
  const found = Number(database.prepare('PRAGMA user_version').get()?.['user_version']);
  database.exec(`PRAGMA user_version = ${change(found)}`);
  database.close();
  return found;
};

test('a database of a newer schema is reported with both versions', async () => {
  await closeStore();
  const supported = schemaOf((found) => found + 6);
  const [finding, ...others] = failed(await inspectState(root, { daemonRuns: false }));
  assert.deepEqual(others, []);
  assert.match(finding?.text ?? '', new RegExp(`schema version ${supported + 6}; .* up to ${supported}$`));
  assert.match(finding?.fix ?? '', /start the newer Netyard/);
});

test('a database of an older schema is reported, and not converted by the inspection', async () => {
  await closeStore();
  rmSync(join(root, 'netyard.db'));
  const database = new DatabaseSync(join(root, 'netyard.db'));
  database.exec(
    `${readFileSync(join(import.meta.dirname, 'fixtures/version-3.sql'), 'utf8')}; PRAGMA user_version = 3`,
  );
  database.close();
  const checks = await inspectState(root, { daemonRuns: false });
  assert.match(checks.find(({ id }) => id === 'schema')?.text ?? '', /has schema version 3; the next start/);
  assert.equal(
    schemaOf((found) => found),
    3,
  );
});

test('a container folder and a layer without a record are unknown data; unfinished work is not', async () => {
  const [lost, unfinished] = [newId(), newId()];
  for (const id of [lost, unfinished]) mkdirSync(join(root, 'overlay/containers', id));
  for (const name of ['b', 'c']) mkdirSync(join(root, 'overlay/layers', name.repeat(64)));
  writeFileSync(join(root, 'unfinished', encodeURIComponent(`container ${unfinished}`)), '');
  writeFileSync(join(root, 'unfinished', encodeURIComponent(`layer sha256:${'c'.repeat(64)}`)), '');
  const found = await inspectClosed();
  assert.deepEqual(
    found.map(({ text }) => text),
    [
      `container ${lost} has no record: ${root}/overlay/containers/${lost} is kept`,
      `1 layers have no record: ${root}/overlay/layers/${'b'.repeat(64)}`,
    ],
  );
  for (const { fix } of found) assert.match(fix ?? '', /netyard system cleanup --unknown-data --dry-run/);
});

const disagreements: [string, () => void, RegExp][] = [
  ['a missing record file', () => rmSync(recordFile()), /^container \w+ has no record file$/],
  ['a damaged record file', () => writeFileSync(recordFile(), '{'), /^record file .* of container \w+ is damaged: /],
  [
    'a record file of another content',
    () => cpSync(join(root, 'older.json'), recordFile()),
    /^the record file of container \w+ differs from the database$/,
  ],
];
for (const [what, damage, expected] of disagreements) {
  test(`${what} is reported, and the next start repairs it`, async () => {
    cpSync(recordFile(), join(root, 'older.json'));
    store.putContainer({ id: one, name: 'renamed', created: 5n, layers: [] } as unknown as ContainerRecord);
    await closeStore();
    damage();
    const found = failed(await inspectState(root, { daemonRuns: false }));
    assert.equal(found.length, 1, JSON.stringify(found));
    assert.match(found[0]?.text ?? '', expected);
    reopen();
    assert.deepEqual(await inspectClosed(), []);
  });
}

test('the age of the verified backup is reported; an old one is a warning while the daemon runs', async () => {
  await closeStore();
  reopen(20);
  const path = join(root, 'netyard.db.backup');
  while (!readdirSync(root).includes('netyard.db.backup.1')) await pause(20);
  await closeStore();
  const backup = async (daemonRuns: boolean): Promise<HostCheck | undefined> =>
    (await inspectState(root, { daemonRuns })).find(({ id }) => id === 'backup');
  assert.equal((await backup(true))?.grade, 'ok');
  const threeHoursAgo = Date.now() / 1000 - 3 * 3600;
  utimesSync(path, threeHoursAgo, threeHoursAgo);
  assert.equal((await backup(true))?.text, 'the last verified copy of the database is 3 hours old');
  assert.deepEqual([(await backup(true))?.grade, (await backup(false))?.grade], ['warning', 'info']);
  writeFileSync(path, 'garbage'.repeat(2000));
  assert.match((await backup(false))?.text ?? '', /netyard\.db\.backup is damaged/);
});

test('a copy of the state can be changed without effect on the data root', async () => {
  const names = await withStateCopy(root, async (copy) => {
    copy.deleteContainer(one);
    return copy.containers().map(({ name }) => name);
  });
  assert.deepEqual(names, []);
  assert.equal(store.containers().length, 1);
  assert.deepEqual(failed(await inspectState(root, { daemonRuns: true })), []);
});
