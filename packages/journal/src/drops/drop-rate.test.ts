/** When counts of dropped packets are written. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DropRate, type DropReport } from './drop-rate.ts';

const second = 1_000_000_000n;
const start = 1000n * second;
const period = 10n * second;
const drop = (
  packets: number,
  reason = 'NETFILTER_DROP',
  place = '1/2',
): { place: string; reason: string; packets: number } => ({
  ...{ place, reason, packets },
});

/** Samples every ten seconds; reports as `second: text`. */
function run(rate: DropRate, samples: readonly (readonly ReturnType<typeof drop>[])[], from = start): string[] {
  return samples.flatMap((one, index) => {
    const now = from + BigInt(index + 1) * period;
    return rate.take(one, now - period, now).map((report) => `${(now - from) / second}: ${textOf(report)}`);
  });
}

const textOf = ({ reasons, period: of }: DropReport): string =>
  `${reasons.map(([reason, packets]) => `${packets} ${reason}`).join(', ')} in ${of / second}`;

test('drops are reported with their reasons, most first, and few packets are forgotten after a minute', () => {
  assert.deepEqual(run(new DropRate(), [[drop(3, 'SOCKET_RCVBUFF'), drop(12)]]), [
    '10: 12 NETFILTER_DROP, 3 SOCKET_RCVBUFF in 10',
  ]);
  assert.deepEqual(run(new DropRate(), [[drop(1)], [], [drop(1)], [drop(1)]]), ['40: 3 NETFILTER_DROP in 40']);
  const rare = Array.from({ length: 30 }, (_, index) => (index % 5 === 0 ? [drop(1)] : []));
  assert.deepEqual(run(new DropRate(), rare), []);
});

test('a place that drops all the time is reported ever less often, and counts every packet', () => {
  const rate = new DropRate();
  const reports = run(
    rate,
    Array.from({ length: 360 }, () => [drop(10)]),
  );
  assert.deepEqual(reports.slice(0, 4), [
    ...['10: 10 NETFILTER_DROP in 10', '30: 20 NETFILTER_DROP in 20', '70: 40 NETFILTER_DROP in 40'],
    '150: 80 NETFILTER_DROP in 80',
  ]);
  assert.ok(reports.length < 10, `${reports.length}`);
  const written = reports.reduce((sum, line) => sum + Number(/: (\d+)/.exec(line)?.[1]), 0);
  const rest = rate.takeAll(start + 3600n * second).reduce((sum, { reasons }) => sum + (reasons[0]?.[1] ?? 0), 0);
  assert.equal(written + rest, 3600);
});

test('a new reason is reported at once, and after a pause each reason is', () => {
  const rate = new DropRate();
  assert.deepEqual(run(rate, [[drop(5)], [drop(5), drop(3, 'NO_SOCKET')]]), [
    '10: 5 NETFILTER_DROP in 10',
    '20: 5 NETFILTER_DROP, 3 NO_SOCKET in 10',
  ]);
  run(
    rate,
    Array.from({ length: 60 }, () => []),
    start + 100n * second,
  );
  assert.deepEqual(run(rate, [[drop(5)]], start + 1000n * second), ['10: 5 NETFILTER_DROP in 10']);
});

test('within an hour a bounded number is reported, and the others are counted', () => {
  const rate = new DropRate();
  const many = Array.from({ length: 100 }, (_, index) => drop(4, 'NO_SOCKET', `1/${index}`));
  assert.equal(run(rate, [many]).length, 60);
  assert.equal(rate.takeOmitted(start + period), undefined);
  assert.deepEqual(rate.takeOmitted(start + 3700n * second), { packets: 160, places: 40 });
  assert.equal(run(rate, [many], start + 7200n * second).length, 60);
  const thousands = Array.from({ length: 2000 }, (_, index) => drop(4, 'NO_SOCKET', `2/${index}`));
  run(rate, [thousands], start + 8000n * second);
  assert.ok((rate.takeOmitted(start, true)?.places ?? 9999) <= 1000);
});
