import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { isNetyardError } from '@netyard/core';
import type { NetworkRecord } from '@netyard/network';
import { decodeRecord, encodeRecord } from './encoding.ts';
import { migrations } from './schema.ts';
import { openStore } from './store.ts';

const folder = mkdtempSync(join(tmpdir(), 'netyard-store-'));
after(() => rmSync(folder, { recursive: true }));

const network = (id: string, name: string): NetworkRecord => ({
  id,
  name,
  driver: 'bridge',
  created: 1_700_000_000_123_456_789n,
  ipam: { driver: 'default', v4: [{ subnet: '172.17.0.0/16', gateway: '172.17.0.1' }] },
  internal: false,
  attachable: false,
  options: {},
  labels: {},
  predefined: true,
});

test('bigints survive, also zero, negative ones and strings that look like one', () => {
  const looks = ['\u0001n5', '\u0001s', '\u0001', 'n5'];
  const record = { a: 0n, b: -5n, c: [1n, { d: 2n ** 70n }], looks, object: { $bigint: '1' } };
  assert.deepEqual(decodeRecord(encodeRecord(record)), record);
});

test('stored records survive closing and opening the file', () => {
  const path = join(folder, 'again.db');
  const first = openStore(path);
  first.putNetwork(network('n1', 'bridge'));
  first.putNetwork({ ...network('n1', 'bridge'), internal: true });
  first.putLease('n1', '172.17.0.2', 'c1');
  first.putCursor('n1', 'v4', '172.17.0.2');
  first.putCursor('n1', 'v6', 'fd00::2');
  first.putLink({ parentId: 'p', alias: 'z', childId: 'c1' });
  first.putLink({ parentId: 'p', alias: 'a', childId: 'c2' });
  first.close();

  const second = openStore(path);
  assert.deepEqual(second.networks(), [{ ...network('n1', 'bridge'), internal: true }]);
  assert.deepEqual(second.leases('n1'), [{ address: '172.17.0.2', containerId: 'c1' }]);
  assert.deepEqual(second.leases('n2'), []);
  assert.equal(second.cursor('n1', 'v4'), '172.17.0.2');
  assert.equal(second.cursor('n1', 'v6'), 'fd00::2');
  assert.equal(second.cursor('n2', 'v4'), undefined);
  assert.deepEqual(
    second.links().map((link) => link.alias),
    ['z', 'a'],
  );
  second.deleteLease('n1', '172.17.0.2');
  second.deleteLink({ parentId: 'p', alias: 'z', childId: 'c1' });
  assert.deepEqual(second.leases('n1'), []);
  assert.equal(second.links().length, 1);
  second.close();
  assert.equal(statSync(path).mode & 0o777, 0o600);
});

test('a failed transaction changes nothing, an inner one undoes only its own part', () => {
  const store = openStore(':memory:');
  assert.throws(() =>
    store.transaction(() => {
      store.putNetwork(network('n1', 'one'));
      throw new Error('no');
    }),
  );
  assert.deepEqual(store.networks(), []);
  store.transaction(() => {
    store.putNetwork(network('n1', 'one'));
    assert.throws(() =>
      store.transaction(() => {
        store.putNetwork(network('n2', 'two'));
        throw new Error('no');
      }),
    );
  });
  assert.deepEqual(
    store.networks().map((record) => record.id),
    ['n1'],
  );
  store.close();
});

test('a database of a newer schema, and a file that is no database, are rejected and left alone', () => {
  const newer = join(folder, 'newer.db');
  const database = new DatabaseSync(newer);
  database.exec(`PRAGMA user_version = ${migrations.length + 1}`);
  database.close();
  assert.throws(
    () => openStore(newer),
    (error) => isNetyardError(error, 'conflict') && /newer Netyard/.test(error.hint ?? ''),
  );
  const junk = join(folder, 'junk.db');
  writeFileSync(junk, 'not a database, but long enough to be inspected as one'.repeat(10));
  assert.throws(() => openStore(junk), /not a database/);
});

test('kill -9 loses nothing that was stored before', async () => {
  const path = join(folder, 'killed.db');
  const script = `
    const { writeSync } = await import('node:fs');
    const { openStore } = await import(${JSON.stringify(new URL('./store.ts', import.meta.url).href)});
    const store = openStore(${JSON.stringify(path)});
    for (let i = 2; ; i += 1) {
      store.putLease('n', '10.0.' + (i >> 8) + '.' + (i & 255), 'c' + i);
      writeSync(1, i + '\\n');
    }`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  for await (const data of child.stdout) {
    output += String(data);
    if (output.length > 2000) child.kill('SIGKILL');
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  const last = Number(output.slice(0, output.lastIndexOf('\n')).split('\n').at(-1));
  const store = openStore(path);
  const ids = new Set(store.leases('n').map((lease) => lease.containerId));
  for (let i = 2; i <= last; i += 1) assert.ok(ids.has(`c${i}`), `lease ${i} of ${last}`);
  store.close();
});
