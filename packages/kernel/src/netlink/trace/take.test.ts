import assert from 'node:assert/strict';
import { test } from 'node:test';
import { takeUpTo } from './take.ts';

test('a source that is never empty is left after the limit, another one when it is empty', () => {
  let number = 0;
  assert.equal(takeUpTo(1000, () => ++number).length, 1000);
  const few = [1, 2, 3];
  assert.deepEqual(
    takeUpTo(1000, () => few.shift()),
    [1, 2, 3],
  );
});
