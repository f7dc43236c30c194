/** The short version of script/damage: one damage of each kind. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runCycles } from './damage/cycles.ts';
import { cannotRun } from './support/engines.ts';

const only = ['log removed', 'older copy', 'database removed', 'a record file damaged', 'disk full'];

test('no container and no layer is lost after kill -9 and damage to the daemon’s state', {
  skip: cannotRun('netyard'),
}, async () => {
  const results = await runCycles({ cycles: only.length, seed: 7, only, report: () => {} });
  assert.deepEqual(
    results.map(({ damage, lost, layersDeleted, failures }) => ({ damage, lost, layersDeleted, failures })),
    only.map((damage) => ({ damage, lost: [], layersDeleted: [], failures: [] })),
  );
  assert.equal(results.find(({ damage }) => damage === 'database removed')?.outcome, 'rejected, recovered');
});
