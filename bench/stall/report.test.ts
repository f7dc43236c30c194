import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatStalls, quantile } from './report.ts';

test('quantiles are samples, and the last is the largest', () => {
  const samples = Array.from({ length: 100 }, (_, index) => 99 - index);
  assert.deepEqual([quantile(samples, 0.5), quantile(samples, 0.99), quantile([7], 0.99)], [50, 99, 7]);
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
