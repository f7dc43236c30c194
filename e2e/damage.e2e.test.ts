/** The short version of script/damage: a damage of each family, once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runCycles } from './damage/cycles.ts';
import { cannotRun } from './support/engines.ts';

const only = ['log removed', 'older copy', 'database removed', 'a record file damaged', 'disk filled'];

test('kill -9 and a damaged state lose no container and no layer', { skip: cannotRun('netyard') }, async () => {
  const results = await runCycles({ cycles: only.length, seed: 7, only, report: () => {} });
  assert.deepEqual(
    results.map(({ damage, lost, layersDeleted, wrong }) => ({ damage, lost, layersDeleted, wrong })),
    only.map((damage) => ({ damage, lost: [], layersDeleted: [], wrong: [] })),
  );
  assert.equal(results.find(({ damage }) => damage === 'database removed')?.outcome, 'refused, recovered');
});
