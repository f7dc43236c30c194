/** Detection of memory growth during a run. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judgeMemory } from './memory.ts';

const run = (of: (index: number) => number): number[] => Array.from({ length: 100 }, (_, index) => of(index));
const verdict = (samples: number[], idle: number): string => judgeMemory(samples, [idle, idle, idle]).verdict;

test('an initial rise and noise are flat, a steady rise is growth', () => {
  assert.equal(
    verdict(
      run((index) => 300 - 200 / (index + 1) + 20 * Math.sin(index)),
      290,
    ),
    'flat',
  );
  assert.equal(
    verdict(
      run((index) => 250 + 2 * index),
      450,
    ),
    'grew',
  );
});

test('memory that an idle daemon releases is no growth', () => {
  assert.equal(
    verdict(
      run((index) => (index < 75 ? 280 : 400)),
      270,
    ),
    'flat',
  );
  assert.equal(
    verdict(
      run((index) => (index < 75 ? 280 : 400)),
      390,
    ),
    'grew',
  );
});

test('a short run is not judged', () => {
  assert.equal(judgeMemory([100, 900], [900]).verdict, 'too short to judge');
  assert.equal(judgeMemory([], []).verdict, 'too short to judge');
});
