import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { slowestFirst, slowTests } from './slow-tests.ts';

test('slow files start first, in their order; the others follow as given', () => {
  assert.deepEqual(slowestFirst(['b', 'a', 'slow', 'slower'], ['slower', 'slow', 'of another tier']), [
    'slower',
    'slow',
    'b',
    'a',
  ]);
});

test('the slow files exist, each once', () => {
  const missing = slowTests.filter((file) => !existsSync(join(import.meta.dirname, '..', file)));
  assert.deepEqual(missing, []);
  assert.equal(new Set(slowTests).size, slowTests.length);
});
