import assert from 'node:assert/strict';
import { test } from 'node:test';
import { foreignShare, ownTime, parseStat } from './disturbance.ts';

test('what neither idles nor belongs to the benchmark is of other programs', () => {
  const before = { at: 10, idle: 100, own: 5 };
  // Of 2 x 4 seconds, 4 were idle and 3 were the benchmark's.
  assert.equal(foreignShare(before, { at: 14, idle: 104, own: 8 }, 2), 0.25);
  // The counters are not read at the same moment.
  assert.equal(foreignShare(before, { at: 14, idle: 107, own: 6.01 }, 2), 0);
});

test("processes of the group and threads of the kernel are the benchmark's, with their ended children", () => {
  const fields = (group: number, flags: number): string[] =>
    parseStat(`7 (a (b) c) S 1 ${group} 7 0 -1 ${flags} 0 0 0 0 100 50 30 20 20 0 1 0`);
  assert.equal(ownTime(fields(42, 0), '42'), 2);
  assert.equal(ownTime(fields(0, 0x0020_8040), '42'), 2);
  assert.equal(ownTime(fields(43, 0x0040_0000), '42'), 0);
});
