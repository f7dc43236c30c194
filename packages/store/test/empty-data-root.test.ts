/** Data roots without a database: a new one is used, one with layers or volumes is rejected. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { isNetyardError, silentLogger } from '@netyard/core';
import { openDataRoot, type Store } from '../src/index.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'netyard-empty-data-root-'));
});
afterEach(() => rmSync(root, { recursive: true }));

const open = (): Store => openDataRoot(root, { logger: silentLogger });
const refusal = (error: unknown): boolean =>
  isNetyardError(error, 'conflict') && /netyard system recover --data-root/.test(error.hint ?? '');

test('an empty data root is a new one, and so is one that was closed without containers', () => {
  open().close();
  rmSync(join(root, 'netyard.db'));
  rmSync(join(root, 'records'), { recursive: true });
  open().close();
});

test('layers or volumes without any database are rejected', () => {
  for (const path of ['overlay/containers/x', 'overlay/layers/x', 'volumes/data/_data']) {
    mkdirSync(join(root, path), { recursive: true });
    assert.throws(() => open(), refusal, path);
    rmSync(join(root, path.split('/')[0] ?? ''), { recursive: true });
  }
});
