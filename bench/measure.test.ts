import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatColumns, medianInterval, summarize } from './measure.ts';

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

test('the interval of a median excludes as many samples at each end as tables of the sign test do', () => {
  assert.deepEqual(medianInterval(upTo(5)), { low: 1, high: 5 }, 'too few: all of them');
  assert.deepEqual(medianInterval(upTo(6)), { low: 1, high: 6 });
  assert.deepEqual(medianInterval(upTo(9)), { low: 2, high: 8 });
  assert.deepEqual(medianInterval(upTo(20)), { low: 6, high: 15 });
  assert.deepEqual(medianInterval(upTo(50)), { low: 18, high: 33 });
});

test('a summary does not depend on the order of samples', () => {
  assert.deepEqual(summarize([...upTo(10)].reverse()), { count: 10, p10: 2, median: 6, p90: 10 });
});

test('columns are as wide as their widest cell, and lines have no trailing space', () => {
  assert.equal(
    formatColumns([
      ['a', 'bb', 'c'],
      ['aaa', 'b', ''],
    ]),
    'a    bb  c\naaa  b',
  );
});
