/**
 * Runs test files, each in a process of its own, the slowest first, and prints their results and which took longest.
 * Exits with 1 when a test failed. `node --test` sorts the files that it is given by name; otherwise this is the same.
 *
 *   node script/run-tests.ts RESULTS AT-A-TIME FILE…
 *
 * RESULTS is the file that test-results.ts writes.
 */
import { createWriteStream } from 'node:fs';
import { join, relative } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type EventData, run } from 'node:test';
import { spec } from 'node:test/reporters';
import { slowestFirst } from './slow-tests.ts';
import results from './test-results.ts';

/** Exceeded only by a hang. */
const timeout = 600_000;
const shown = 5;

const [destination = '', atATime = '1', ...files] = process.argv.slice(2);
const durations = new Map<string, number>();
const events = run({
  ...{ files: slowestFirst(files), concurrency: Number(atATime), timeout },
  execArgv: ['test-cache.ts', 'exit-check.ts'].flatMap((file) => ['--import', join(import.meta.dirname, file)]),
});
events.on('test:fail', ({ todo }) => {
  if (todo === undefined || todo === false) process.exitCode = 1;
});
events.on('test:summary', ({ file, duration_ms }: EventData.TestSummary) => {
  if (file !== undefined) durations.set(relative(process.cwd(), file), duration_ms);
});
await Promise.all([
  pipeline(events.compose(new spec()), process.stdout, { end: false }),
  pipeline(events.compose(results), createWriteStream(destination)),
]);
const slowest = [...durations].sort(([, one], [, other]) => other - one).slice(0, shown);
console.log(`slowest: ${slowest.map(([file, ms]) => `${file} ${Math.round(ms / 1000)} s`).join(', ')}`);
