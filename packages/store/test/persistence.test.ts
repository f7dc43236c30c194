/**
 * A full disk: existing objects can change and end, additions are rejected, and everything is written when there is
 * room.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { silentLogger } from '@netyard/core';
import type { Change } from '../src/database.ts';
import { Persistence } from '../src/persistence.ts';
import { emptyRows } from '../src/tables.ts';

function onDisk() {
  const written: string[] = [];
  const disk = { full: false };
  const database = {
    write(changes: readonly Change[]) {
      if (disk.full) throw Object.assign(new Error('database or disk is full'), { errcode: 13 });
      written.push(...changes.map(({ table, key, row }) => `${row ? 'put' : 'delete'} ${table} ${key}`));
    },
    checkpoint() {},
    reserve() {},
    close() {},
  };
  const parts = { path: ':memory:', records: undefined, reserve: undefined, logger: silentLogger, retryMs: 5 };
  const identity = { epoch: 'e', generation: 1 };
  return { disk, written, state: new Persistence({ ...parts, database, rows: emptyRows(), identity }) };
}

test('on a full disk changes of existing objects stay in memory and are written later, once', async () => {
  const { disk, written, state } = onDisk();
  state.put('containers', ['c1', 'web', 'running']);
  state.put('containers', ['c2', 'db', 'running']);
  written.length = 0;
  disk.full = true;
  state.put('containers', ['c1', 'web', 'exited']);
  state.put('containers', ['c1', 'web', 'removing']);
  state.delete('containers', 'c1');
  state.put('containers', ['c2', 'db', 'exited']);
  assert.match(state.writeProblem ?? '', /disk is full/);
  assert.deepEqual([...state.rows.containers.values()], [['c2', 'db', 'exited']]);
  await pause(30);
  assert.deepEqual(written, []);
  disk.full = false;
  while (state.writeProblem !== undefined) await pause(5);
  assert.deepEqual(written, ['delete containers c1', 'put containers c2']);
});

test('additions are rejected on a full disk, and not kept in memory', () => {
  const { disk, written, state } = onDisk();
  disk.full = true;
  const create = (): void =>
    state.transaction(() => {
      state.put('leases', ['n', '10.0.0.2', 'c1']);
      state.put('containers', ['c1', 'web', 'created']);
    });
  assert.throws(create, /cannot write the state: database or disk is full/);
  assert.equal(state.rows.containers.size + state.rows.leases.size, 0);
  disk.full = false;
  create();
  assert.deepEqual(written, ['put leases n\0' + '10.0.0.2', 'put containers c1']);
  state.close();
});

test('changes held in memory are written when the store is closed', () => {
  const { disk, written, state } = onDisk();
  state.put('containers', ['c1', 'web', 'running']);
  disk.full = true;
  state.put('containers', ['c1', 'web', 'exited']);
  disk.full = false;
  state.close();
  assert.deepEqual(written, ['put containers c1', 'put containers c1']);
});
