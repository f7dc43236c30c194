import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatReport, type Row } from './report.ts';

function row(key: string, throughput: number, delay: number): Row {
  const rounds = Array.from({ length: 10 }, (_, round) => 1 + round / 1000);
  const delays = rounds.map((factor) => factor * delay);
  const samplings = {
    throughput: rounds.map((factor) => factor * throughput),
    roundTrip: delays,
    roundTrip99: delays,
    connection: delays,
  };
  return { key, title: key, absent: '', samplings };
}

const lineOf = (report: string, ...starts: string[]): string =>
  report.split('\n').find((line) => line.split(/ {2,}/).slice(0, 3).join() === starts.join()) ?? '';

test('targets are compared with the ratios of the same round, above 1 when the first is better', () => {
  const report = formatReport([row('routes', 20, 30), row('hosts', 25, 20), row('hand', 21, 30), row('swarm', 10, 45)]);
  assert.match(lineOf(report, 'Gbit/s', 'routes', 'hosts'), / 0\.80 .* ≥ 0\.85 +NO$/);
  assert.match(lineOf(report, 'Gbit/s', 'routes', 'hand'), / 0\.95 .* no loss +NO$/);
  assert.match(lineOf(report, 'Gbit/s', 'routes', 'swarm'), / 2\.00 .* ≥ 1\.25 +yes$/);
  assert.match(lineOf(report, 'round trip', 'routes', 'hand'), / 1\.00 .* no loss +yes$/);
  assert.match(lineOf(report, 'round trip', 'routes', 'swarm'), / 1\.50 .* ahead +yes$/);
});

test('an unavailable path is reported with its reason, and compared with nothing', () => {
  const none = { throughput: [], roundTrip: [], roundTrip99: [], connection: [] };
  const report = formatReport([
    row('routes', 20, 30),
    { key: 'swarm', title: 'Swarm', absent: 'no IPVS', samplings: none },
  ]);
  assert.match(report, /^Not measured: Swarm: no IPVS$/m);
  assert.equal(report.match(/Swarm/g)?.length, 1);
});
