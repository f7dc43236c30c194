/** What the rounds say: a table of the ways, and the ratios of the ways that matter. Pure. */
import { formatColumns, medianInterval, type Samples, summarize } from '../measure.ts';
import type { Measured } from './probe.ts';

export interface Row {
  key: string;
  title: string;
  /** Why it was not measured; '' when it was. */
  absent: string;
  samplings: Samplings;
}

type Metric = keyof Measured;

/** One figure for each round; empty when the way is not there. */
export type Samplings = Readonly<Record<Metric, Samples>>;

const columns: readonly { metric: Metric; title: string }[] = [
  { metric: 'throughput', title: 'Gbit/s' },
  { metric: 'roundTrip', title: 'round trip, µs' },
  { metric: 'roundTrip99', title: '99 % within, µs' },
  { metric: 'connection', title: 'new connection, µs' },
];

/**
 * A pair that is compared. Wanted of the 95 % interval of the median ratio: `no loss`, that it reaches 1; `ahead`, that
 * all of it is above 1. A number: the median ratio at least. Nothing: reported only.
 */
interface Comparison {
  first: string;
  second: string;
  metric: Metric;
  wanted?: 'no loss' | 'ahead' | number;
}

const comparisons: readonly Comparison[] = [
  { first: 'routes', second: 'hosts', metric: 'throughput', wanted: 0.85 },
  { first: 'routes', second: 'hand', metric: 'throughput', wanted: 'no loss' },
  { first: 'routes', second: 'guarded', metric: 'throughput', wanted: 'no loss' },
  { first: 'routes', second: 'swarm', metric: 'throughput', wanted: 1.25 },
  { first: 'routes', second: 'tunnel', metric: 'throughput' },
  { first: 'tunnel', second: 'handtunnel', metric: 'throughput', wanted: 'no loss' },
  { first: 'tunnel', second: 'guardedtunnel', metric: 'throughput', wanted: 'no loss' },
  { first: 'tunnel', second: 'swarm', metric: 'throughput', wanted: 'no loss' },
  { first: 'routed', second: 'handrouted', metric: 'throughput', wanted: 'no loss' },
  { first: 'routed', second: 'tunnel', metric: 'throughput' },
  { first: 'routes', second: 'hosts', metric: 'roundTrip' },
  { first: 'routes', second: 'hand', metric: 'roundTrip', wanted: 'no loss' },
  { first: 'routes', second: 'guarded', metric: 'roundTrip', wanted: 'no loss' },
  { first: 'routes', second: 'swarm', metric: 'roundTrip', wanted: 'ahead' },
  { first: 'tunnel', second: 'handtunnel', metric: 'roundTrip', wanted: 'no loss' },
  { first: 'tunnel', second: 'guardedtunnel', metric: 'roundTrip', wanted: 'no loss' },
  { first: 'tunnel', second: 'swarm', metric: 'roundTrip', wanted: 'no loss' },
  { first: 'routed', second: 'handrouted', metric: 'roundTrip', wanted: 'no loss' },
  { first: 'routes', second: 'hand', metric: 'connection' },
  { first: 'routes', second: 'guarded', metric: 'connection', wanted: 'no loss' },
  { first: 'routes', second: 'swarm', metric: 'connection' },
  ...(['throughput', 'roundTrip', 'connection'] as const).flatMap((metric): Comparison[] => [
    { first: 'bridge', second: 'dockerbridge', metric, wanted: 'no loss' },
    { first: 'published', second: 'dockerpublished', metric, wanted: 'no loss' },
  ]),
];

export function formatReport(rows: readonly Row[]): string {
  const absent = rows.filter((row) => row.absent !== '').map((row) => `\nNot measured: ${row.title}: ${row.absent}`);
  return [
    `TCP traffic: medians of ${roundsOf(rows, 'throughput')} rounds of throughput in one stream and of ` +
      `${roundsOf(rows, 'roundTrip')} of round trips (10th – 90th percentile of the rounds).\n`,
    formatWays(rows),
    ...absent,
    '\nRatios of each round, their median and its 95 % interval; above 1 the first is better.\n',
    formatComparisons(rows),
  ].join('\n');
}

const roundsOf = (rows: readonly Row[], metric: Metric): number =>
  Math.max(0, ...rows.map((row) => row.samplings[metric].length));

function formatWays(rows: readonly Row[]): string {
  const head = ['way', ...columns.map((column) => column.title)];
  const measured = rows.filter((row) => row.absent === '');
  const cell = (row: Row, metric: Metric): string => {
    const { p10, median, p90 } = summarize(row.samplings[metric]);
    return `${median.toFixed(1)} (${p10.toFixed(1)} – ${p90.toFixed(1)})`;
  };
  return formatColumns([
    head,
    ...measured.map((row) => [row.title, ...columns.map(({ metric }) => cell(row, metric))]),
  ]);
}

function formatComparisons(rows: readonly Row[]): string {
  const head = ['what', 'first', 'second', 'ratio', 'interval', 'wanted', 'reached'];
  return formatColumns([head, ...comparisons.flatMap((one) => formatPair(one, rows))]);
}

function formatPair({ first, second, metric, wanted }: Comparison, rows: readonly Row[]): string[][] {
  const [ours, theirs] = [first, second].map((key) => rows.find((row) => row.key === key));
  if (!ours || !theirs || ours.absent !== '' || theirs.absent !== '') return [];
  const ratios = ours.samplings[metric].flatMap((one, round) => {
    const other = theirs.samplings[metric][round];
    return other === undefined ? [] : [betterBy(metric, one, other)];
  });
  const { median } = summarize(ratios);
  const { low, high } = medianInterval(ratios);
  return [
    [
      columns.find((column) => column.metric === metric)?.title.replace(/, µs$/, '') ?? metric,
      ours.title,
      theirs.title,
      median.toFixed(2),
      `${low.toFixed(2)} – ${high.toFixed(2)}`,
      typeof wanted === 'number' ? `≥ ${wanted.toFixed(2)}` : (wanted ?? '-'),
      wanted === undefined ? '' : isReached(wanted, low, median, high) ? 'yes' : 'NO',
    ],
  ];
}

function isReached(wanted: NonNullable<Comparison['wanted']>, low: number, median: number, high: number): boolean {
  if (typeof wanted === 'number') return median >= wanted;
  return wanted === 'no loss' ? high >= 1 : low > 1;
}

/** More throughput is better, and less time. */
const betterBy = (metric: Metric, ours: number, theirs: number): number =>
  metric === 'throughput' ? ours / theirs : theirs / ours;
