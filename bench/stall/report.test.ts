import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  formatForDocument,
  formatStalls,
  joinGroups,
  leastDisturbed,
  leastRuns,
  type Measured,
  quantile,
  undisturbed,
} from './report.ts';

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

const latencies = (ms: number, foreign = 0) => ({ version: [ms], run: [10 * ms], foreign });

/** `ms` beside output of this rate, half as much when the engine is idle. */
const measured = (ms: number, rate: number): Measured => {
  const output = (megabytesPerSecond: number) => ({ megabytesPerSecond, cpuPerGigabyte: 10 * ms });
  return {
    loaded: { ...latencies(ms), output: { alone: output(rate), busy: output(rate / 2) } },
    idle: latencies(ms / 2),
  };
};

test('each row is compared with the idle engine and with dockerd', () => {
  const table = formatStalls([{ name: '4 x noise', netyard: measured(3, 100), dockerd: measured(6, 40) }]);
  assert.match(
    table,
    /^4 x noise +GET \/version, ms +3\.0 \/ 3\.0 \/ 3\.0 +1\.5 .* 2\.00 \/ 2\.00 +6\.0 .* 2\.00 \/ 2\.00 +0\.50 \/ 0\.50$/m,
  );
  assert.match(table, /^4 x noise +docker run --rm, ms +30\.0 .* 0\.50 \/ 0\.50$/m);
  assert.match(table, /^4 x noise +output alone, MB\/s +100\.0 +40\.0 +2\.50$/m);
  assert.match(table, /^4 x noise +output with requests, MB\/s +50\.0 +20\.0 +2\.50$/m);
  assert.match(table, /^4 x noise +output alone, CPU s\/GB +30\.0 +60\.0 +0\.50$/m);
  assert.equal(table.split('\n').length, 8);
});

test('an engine that was not measured has no figures', () => {
  const table = formatStalls([{ name: '1 x noise', netyard: measured(3, 100) }]);
  assert.match(table, /^1 x noise +GET \/version, ms +3\.0 \/ 3\.0 \/ 3\.0 +1\.5 .* 2\.00 \/ 2\.00 +- +- +- +-$/m);
  assert.match(table, /^1 x noise +output alone, MB\/s +100\.0 +- +-$/m);
});

test('groups are joined, with the largest share of other programs', () => {
  const joined = joinGroups([latencies(1, 0.07), latencies(2, 0.04)]);
  assert.deepEqual(joined, { version: [1, 2], run: [10, 20], foreign: 0.07 });
});

test('groups are selected by what other programs took', () => {
  const [slow, disturbed, fast] = [latencies(9, 0.02), latencies(1, 0.5), latencies(2, 0.05)];
  assert.deepEqual(undisturbed([slow, disturbed, fast]), [slow, fast]);
  assert.deepEqual(leastDisturbed([disturbed, fast, slow], 2), [slow, fast]);
});

test('the smallest number of runs of any engine beside output counts', () => {
  const many: Measured = measured(1, 1);
  many.loaded.run = [1, 2, 3];
  assert.equal(leastRuns([{ name: '1 x noise', netyard: many }]), 3);
  assert.equal(leastRuns([{ name: '1 x noise', netyard: many, dockerd: measured(6, 1) }]), 1);
});

test('the document says which targets a row misses', () => {
  const rows = [
    { name: '1 x noise', netyard: measured(4, 1), dockerd: measured(6, 1) },
    { name: '4 x noise', netyard: { ...measured(7, 1), idle: latencies(3) }, dockerd: measured(6, 1) },
  ];
  const lines = formatForDocument(rows, ['A fact.']).split('\n');
  assert.equal(
    lines[2],
    '| 1 x noise | `GET /version` | 4.0 / 4.0 | 2.0 / 2.0 | 2.00 / 2.00 | 6.0 / 6.0 | 3.0 / 3.0 | yes |',
  );
  assert.match(lines[4] ?? '', /^\| 4 x noise .* 2\.33 \/ 2\.33 .* \| \*\*no: to idle, to dockerd\*\* \|$/);
  assert.equal(lines.at(-1), 'A fact.');
});
