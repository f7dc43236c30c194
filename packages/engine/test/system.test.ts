import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { type Harness, openHarness } from './fakes/harness.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await openHarness();
});
afterEach(() => harness.close());

test('info warns while the state cannot be written', async () => {
  const stateWarnings = async (): Promise<string[]> =>
    (await harness.engine.system.info()).warnings.filter((warning) => warning.includes('state'));
  assert.deepEqual(await stateWarnings(), []);
  harness.store.problem = 'database or disk is full';
  assert.deepEqual(await stateWarnings(), [
    'WARNING: the state cannot be written and is kept in memory: database or disk is full',
  ]);
});
