import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { resolvePath } from './resolve-path.ts';

const root = mkdtempSync(join(tmpdir(), 'netyard-resolve-'));
mkdirSync(join(root, 'a'));
after(() => rmSync(root, { recursive: true }));

test('links that multiply the names of a path are rejected after a bounded number of lookups', () => {
  const detour = 'a/../'.repeat(100);
  for (let index = 0; index < 100; index += 1) symlinkSync(`${detour}link${index + 1}`, join(root, `link${index}`));
  assert.equal(resolvePath(root, '/link95/x'), '/link100/x');
  assert.throws(() => resolvePath(root, '/link0'), { code: 'invalid', message: /too many names/ });
});

test('a path longer than the kernel accepts is rejected before it is resolved', () => {
  assert.equal(resolvePath(root, '/a'.repeat(500)), '/a'.repeat(500));
  for (const path of ['/a'.repeat(2048), '/a'.repeat(500_000)])
    assert.throws(() => resolvePath(root, path), { code: 'invalid', message: /file name too long/ });
});
