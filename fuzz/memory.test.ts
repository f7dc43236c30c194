/** Detection of memory growth during a run. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judgeMemory, type MemorySample } from './memory.ts';

/** Samples of a run whose memory in use, in bytes, is a function of the number of requests. */
function run(requests: number, inUse: (requests: number) => number): MemorySample[] {
  const at = (count: number): MemorySample => ({ requests: count, heap: inUse(count), external: 0, malloc: 30e6 });
  return [1, 2, 3].map((third) => at(Math.floor((requests * third) / 3)));
}
const verdict = (requests: number, inUse: (requests: number) => number): string =>
  judgeMemory(run(requests, inUse)).verdict;

/** As measured: 35 MB at the start, growing less and less. */
const compiling = (requests: number): number => 60e6 - 25e6 * Math.exp(-requests / 30_000);

test('code that V8 compiles is no growth, a leak of 500 bytes per request is', () => {
  assert.equal(verdict(100_000, compiling), 'flat');
  assert.equal(verdict(300_000, compiling), 'flat');
  for (const requests of [40_000, 100_000, 300_000])
    assert.equal(
      verdict(requests, (count) => compiling(count) + 500 * count),
      'grew',
    );
  assert.equal(
    verdict(300_000, (count) => compiling(count) + 100 * count),
    'grew',
  );
});

test('a leak of native code is growth', () => {
  const samples = run(100_000, compiling).map((sample) => ({ ...sample, malloc: 30e6 + 500 * sample.requests }));
  assert.equal(judgeMemory(samples).verdict, 'grew');
});

test('growth in one third, whichever it is, is no leak', () => {
  for (const late of [33_000, 66_000])
    assert.equal(
      verdict(100_000, (count) => (count > late + 1_000 ? 80e6 : 60e6)),
      'flat',
    );
});

test('a short run is not judged', () => {
  assert.equal(
    verdict(10_000, (count) => 1_000 * count),
    'too short to judge',
  );
  assert.equal(judgeMemory([]).verdict, 'too short to judge');
});
