import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shouldRelease } from './idle-memory.ts';

const mebibyte = 1024 * 1024;

test('memory is returned after it grew, and only while the daemon is idle', () => {
  const lowest = 130 * mebibyte;
  const cases: [resident: number, utilization: number, isDue: boolean][] = [
    [400, 0.01, true],
    [400, 0.9, false],
    [136, 0.01, false],
    [90, 0, false],
  ];
  for (const [resident, utilization, isDue] of cases)
    assert.equal(shouldRelease({ resident: resident * mebibyte, utilization }, lowest), isDue, `${resident} MiB`);
});
