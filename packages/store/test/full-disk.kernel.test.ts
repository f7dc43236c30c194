/** A data root whose file system is full, with a database of an older schema, which needs space to be converted. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { silentLogger } from '@netyard/core';
import { inspectState, openDataRoot, recoverState } from '../src/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'netyard-full-'));
const temporary = join(folder, 'tmp');
const root = join(folder, 'data');
const path = join(root, 'netyard.db');
const former = process.env['TMPDIR'];

before(() => {
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'none', folder]);
  for (const made of [temporary, join(root, 'overlay/containers', '1'.repeat(64))])
    mkdirSync(made, { recursive: true });
  const database = new DatabaseSync(path);
  database.exec(readFileSync(join(import.meta.dirname, 'fixtures/version-3.sql'), 'utf8'));
  database.close();
  assert.throws(() => writeFileSync(join(folder, 'fill'), Buffer.alloc(8 * 1024 * 1024)), { code: 'ENOSPC' });
  process.env['TMPDIR'] = temporary;
});
after(() => {
  if (former === undefined) delete process.env['TMPDIR'];
  else process.env['TMPDIR'] = former;
  execFileSync('umount', ['-l', folder]); // record files are synced to disk a little later
  rmSync(folder, { recursive: true });
});

test('a database that a full disk prevents from being converted is not called damaged', () => {
  const expected = { code: 'unavailable', message: /no space left/, hint: /free space/ };
  assert.throws(() => openDataRoot(root, { logger: silentLogger }), expected);
  assert.throws(() => recoverState(root), expected);
  assert.ok(existsSync(path), 'recover has not replaced it');
});

test('doctor and a dry run of recover read it, also when the folder for temporary files is full', async () => {
  const checks = await inspectState(root, { daemonRuns: false });
  assert.deepEqual(
    checks.filter(({ grade }) => grade === 'broken'),
    [],
  );
  assert.deepEqual(recoverState(root, { dryRun: true }).needed, false);
});

test('it is converted once there is space', async () => {
  rmSync(join(folder, 'fill'));
  const store = openDataRoot(root, { logger: silentLogger });
  assert.equal(store.sandboxes().length, 4);
  await store.close();
});
