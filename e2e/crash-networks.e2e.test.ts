/** The short version of script/crash. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runCrashes } from './crash/cycles.ts';
import { cannotRun } from './support/engines.ts';

for (const { seed, portsPerBridge, title } of [
  { seed: 7, title: 'networks and containers' },
  { seed: 8, portsPerBridge: 1, title: 'networks on several bridges and their containers' },
])
  test(`${title} agree with the API after kill -9 in the middle of operations`, {
    skip: cannotRun('netyard'),
  }, async () => {
    const failures: string[] = [];
    const { cycles, pings, ...atEnd } = await runCrashes({
      cycles: 8,
      seed,
      ...(portsPerBridge === undefined ? {} : { portsPerBridge }),
      report: (cycle, one) => failures.push(...one.failures.map((line) => `cycle ${cycle}: ${line}`)),
    });
    assert.deepEqual([...failures, ...atEnd.failures], []);
    assert.deepEqual(
      pings.map(({ lost }) => lost),
      [[], []],
    );
    assert.ok(
      cycles.some(({ interrupted }) => interrupted.length > 0),
      'the daemon was killed in the middle of an operation',
    );
    assert.equal(
      cycles.some(({ segments }) => segments > 0),
      portsPerBridge !== undefined,
    );
  });
