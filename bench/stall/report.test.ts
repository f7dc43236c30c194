import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatStalls, quantile } from './report.ts';

/** 1, 2, … in descending order. */
const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => count - index);

test('a quantile is the smallest sample that this share of the samples does not exceed', () => {
  const of = (count: number): number[] => [0.5, 0.99, 1].map((share) => quantile(numbers(count), share));
  assert.deepEqual(of(1000), [500, 990, 1000]);
  assert.deepEqual(of(100), [50, 99, 100]);
  assert.deepEqual(of(20), [10, 20, 20]);
  assert.deepEqual(of(1), [1, 1, 1]);
  assert.deepEqual(of(0), [Number.NaN, Number.NaN, Number.NaN]);
});

test('one slow request in a hundred is not in p99, two are', () => {
  const fast = Array.from({ length: 98 }, () => 1);
  assert.equal(quantile([...fast, 1, 50], 0.99), 1);
  assert.equal(quantile([50, ...fast, 50], 0.99), 50);
});

const latencies = (ms: number, rate?: number) => {
  const output = (megabytesPerSecond: number) => ({ megabytesPerSecond, cpuPerGigabyte: 10 * ms });
  return {
    version: [ms],
    run: [10 * ms],
    ...(rate ? { output: { alone: output(rate), busy: output(rate / 2) } } : {}),
  };
};

test('each row is compared with dockerd and with the idle row', () => {
  const table = formatStalls([
    { name: 'idle', netyard: latencies(2), dockerd: latencies(4) },
    { name: '4 x noise', netyard: latencies(3, 100), dockerd: latencies(6, 40) },
  ]);
  assert.match(
    table,
    /^4 x noise +GET \/version, ms +3\.0 \/ 3\.0 \/ 3\.0 +6\.0 .* 0\.50 \/ 0\.50 +1\.50 \/ 1\.50 +1\.50 /m,
  );
  assert.match(table, /^4 x noise +output alone, MB\/s +100\.0 +40\.0 +2\.50$/m);
  assert.match(table, /^4 x noise +output with requests, MB\/s +50\.0 +20\.0 +2\.50$/m);
  assert.match(table, /^4 x noise +output alone, CPU s\/GB +30\.0 +60\.0 +0\.50$/m);
  assert.equal(table.split('\n').length, 9);
});

test('an engine that was not measured has no figures', () => {
  const table = formatStalls([
    { name: 'idle', netyard: latencies(2) },
    { name: '1 x noise', netyard: latencies(3, 100) },
  ]);
  assert.match(table, /^1 x noise +GET \/version, ms +3\.0 \/ 3\.0 \/ 3\.0 +- +- +1\.50 \/ 1\.50 +-$/m);
  assert.match(table, /^1 x noise +output alone, MB\/s +100\.0 +- +-$/m);
});
