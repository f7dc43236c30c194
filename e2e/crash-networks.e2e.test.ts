/** The short version of script/crash. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runCrashes } from './crash/cycles.ts';
import { cannotRun } from './support/engines.ts';

test('networks and containers agree with the API after kill -9 in the middle of operations', {
  skip: cannotRun('netyard'),
}, async () => {
  const failures: string[] = [];
  const result = await runCrashes({
    cycles: 8,
    seed: 7,
    report: (cycle, one) => failures.push(...one.failures.map((line) => `cycle ${cycle}: ${line}`)),
  });
  assert.deepEqual([...failures, ...result.failures], []);
  assert.deepEqual(
    result.pings.map(({ lost }) => lost),
    [[], []],
  );
  assert.ok(
    result.cycles.some(({ interrupted }) => interrupted.length > 0),
    'the daemon was killed in the middle of an operation',
  );
});
