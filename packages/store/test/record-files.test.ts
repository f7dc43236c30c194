/** When record files are written: at once for new and removed objects, a moment later for changed ones. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { newId, silentLogger } from '@netyard/core';
import type { ContainerRecord } from '@netyard/engine';
import { openDataRoot, type Store } from '../src/index.ts';

let root: string;
let store: Store;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'netyard-record-files-'));
  store = openDataRoot(root, { logger: silentLogger });
});
afterEach(() => rmSync(root, { recursive: true }));

const put = (id: string, status: string): void =>
  store.putContainer({ id, name: `c-${id}`, state: { status } } as unknown as ContainerRecord);
const folder = (): string => join(root, 'records/containers');
const fileOf = (id: string): string => readFileSync(join(folder(), `${id}.json`), 'utf8');

test('the file of a new container is there at once, and that of a changed one has its last change soon', async () => {
  const id = newId();
  put(id, 'created');
  assert.match(fileOf(id), /created/);
  for (const status of ['starting', 'running', 'exited']) put(id, status);
  while (!fileOf(id).includes('exited')) await pause(1);
  assert.deepEqual(readdirSync(folder()), [`${id}.json`]);
  store.close();
});

test('a container that is removed while its file is being written stays removed', async () => {
  for (let attempt = 0; attempt < 20; attempt += 1) {
    const id = newId();
    put(id, 'created');
    put(id, 'running');
    await pause(8 + (attempt % 7));
    store.deleteContainer(id);
  }
  await pause(50);
  assert.deepEqual(readdirSync(folder()), []);
  store.close();
});

test('changes just before the store is closed are in the files', async () => {
  const ids = [newId(), newId()];
  for (const id of ids) put(id, 'created');
  for (const id of ids) put(id, 'running');
  await pause(10); // the first may be in progress
  store.close();
  for (const id of ids) assert.match(fileOf(id), /running/);
  await pause(50);
  for (const id of ids) assert.match(fileOf(id), /running/);
});
