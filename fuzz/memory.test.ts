/** Detection of memory growth during a run. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judgeMemory, type MemorySample, samplePoints } from './memory.ts';

/** Samples of a run whose JavaScript objects, in bytes, are a function of the number of requests. */
function run(requests: number, objects: (requests: number) => number): MemorySample[] {
  return samplePoints(requests).map((count) => ({
    requests: count,
    objects: objects(count),
    code: 0,
    threadObjects: 4e6,
    malloc: 30e6,
    threads: 3,
  }));
}
const verdict = (requests: number, objects: (requests: number) => number): string =>
  judgeMemory(run(requests, objects)).verdict;

/** As measured: growing less and less. */
const settling = (requests: number): number => 24e6 - 3e6 * Math.exp(-requests / 40_000);

test('samples are spread over the last two thirds', () => {
  const points = samplePoints(24_000);
  assert.equal(points[0], 9_000);
  assert.equal(points.at(-1), 24_000);
  assert.equal(points.length, 16);
});

test('inline caches are no growth, a leak of 100 bytes per request is', () => {
  for (const requests of [40_000, 100_000, 500_000]) {
    assert.equal(verdict(requests, settling), 'flat');
    assert.equal(
      verdict(requests, (count) => settling(count) + 100 * count),
      'grew',
    );
  }
});

test('a leak of native code, or of a thread, is growth', () => {
  for (const field of ['malloc', 'threadObjects'] as const) {
    const samples = run(100_000, settling).map((sample) => ({ ...sample, [field]: 30e6 + 100 * sample.requests }));
    assert.equal(judgeMemory(samples).verdict, 'grew', field);
  }
});

test('threads that start or end, and temporary use, are no growth', () => {
  const samples = run(100_000, settling).map((sample, index) => {
    const threads = index < 8 ? 3 : 5;
    const temporary = index < 9 || index % 3 === 0 ? 0 : 20e6;
    return { ...sample, threads, malloc: 24e6 + 2.1e6 * threads + temporary };
  });
  assert.equal(judgeMemory(samples).verdict, 'flat');
});

test('a short run is not judged', () => {
  assert.equal(
    verdict(10_000, (count) => 1_000 * count),
    'too short to judge',
  );
  assert.equal(judgeMemory([]).verdict, 'too short to judge');
});
