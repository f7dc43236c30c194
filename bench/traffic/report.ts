/** The tables of the traffic benchmark: all paths, and ratios of compared paths. Pure. */
import { formatColumns, medianInterval, type Samples, summarize } from '../measure.ts';
import type { Measured } from './probe.ts';

export interface Row {
  key: string;
  title: string;
  /** Why the path was not measured; '' when it was. */
  absent: string;
  samplings: Samplings;
}

type Metric = keyof Measured;

/** One figure per round; empty when the path is unavailable. */
export type Samplings = Readonly<Record<Metric, Samples>>;

const columns: readonly { metric: Metric; title: string }[] = [
  { metric: 'throughput', title: 'Gbit/s' },
  { metric: 'roundTrip', title: 'round trip, µs' },
  { metric: 'roundTrip99', title: '99 % within, µs' },
  { metric: 'connection', title: 'new connection, µs' },
];

/**
 * A compared pair and its target. `no loss`: the 95 % interval of the median ratio reaches 1. `ahead`: all of it is above
 * 1. A number: the smallest median ratio. Without a target the ratio is only reported.
 */
interface Comparison {
  first: string;
  second: string;
  metric: Metric;
  target?: 'no loss' | 'ahead' | number;
}

const comparisons: readonly Comparison[] = [
  { first: 'routes', second: 'hosts', metric: 'throughput', target: 0.85 },
  { first: 'routes', second: 'hand', metric: 'throughput', target: 'no loss' },
  { first: 'routes', second: 'firewalled', metric: 'throughput', target: 'no loss' },
  { first: 'routes', second: 'swarm', metric: 'throughput', target: 1.25 },
  { first: 'routes', second: 'tunnel', metric: 'throughput' },
  { first: 'tunnel', second: 'handtunnel', metric: 'throughput', target: 'no loss' },
  { first: 'tunnel', second: 'walledtunnel', metric: 'throughput', target: 'no loss' },
  { first: 'tunnel', second: 'swarm', metric: 'throughput', target: 'no loss' },
  { first: 'opentunnel', second: 'swarm', metric: 'throughput', target: 'no loss' },
  { first: 'opentunnel', second: 'handtunnel', metric: 'throughput' },
  { first: 'opentunnel', second: 'tunnel', metric: 'throughput' },
  { first: 'routed', second: 'handrouted', metric: 'throughput', target: 'no loss' },
  { first: 'routed', second: 'tunnel', metric: 'throughput' },
  { first: 'routes', second: 'hosts', metric: 'roundTrip' },
  { first: 'routes', second: 'hand', metric: 'roundTrip', target: 'no loss' },
  { first: 'routes', second: 'firewalled', metric: 'roundTrip', target: 'no loss' },
  { first: 'routes', second: 'swarm', metric: 'roundTrip', target: 'ahead' },
  { first: 'tunnel', second: 'handtunnel', metric: 'roundTrip', target: 'no loss' },
  { first: 'tunnel', second: 'walledtunnel', metric: 'roundTrip', target: 'no loss' },
  { first: 'tunnel', second: 'swarm', metric: 'roundTrip', target: 'no loss' },
  { first: 'opentunnel', second: 'swarm', metric: 'roundTrip', target: 'no loss' },
  { first: 'opentunnel', second: 'handtunnel', metric: 'roundTrip' },
  { first: 'opentunnel', second: 'tunnel', metric: 'roundTrip' },
  { first: 'routed', second: 'handrouted', metric: 'roundTrip', target: 'no loss' },
  { first: 'routes', second: 'hand', metric: 'connection' },
  { first: 'routes', second: 'firewalled', metric: 'connection', target: 'no loss' },
  { first: 'routes', second: 'swarm', metric: 'connection' },
  ...(['throughput', 'roundTrip', 'connection'] as const).flatMap((metric): Comparison[] => [
    { first: 'bridge', second: 'dockerbridge', metric, target: 'no loss' },
    { first: 'published', second: 'dockerpublished', metric, target: 'no loss' },
  ]),
];

export function formatReport(rows: readonly Row[]): string {
  const absent = rows.filter((row) => row.absent !== '').map((row) => `\nNot measured: ${row.title}: ${row.absent}`);
  return [
    `TCP traffic: medians of ${roundsOf(rows, 'throughput')} rounds of throughput in one stream and of ` +
      `${roundsOf(rows, 'roundTrip')} of round trips (10th – 90th percentile of the rounds).\n`,
    formatPaths(rows),
    ...absent,
    '\nRatios of each round, their median and its 95 % interval; above 1 the first is better.\n',
    formatComparisons(rows),
  ].join('\n');
}

const roundsOf = (rows: readonly Row[], metric: Metric): number =>
  Math.max(0, ...rows.map((row) => row.samplings[metric].length));

function formatPaths(rows: readonly Row[]): string {
  const head = ['path', ...columns.map((column) => column.title)];
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
  const head = ['what', 'first', 'second', 'ratio', 'interval', 'target', 'reached'];
  return formatColumns([head, ...comparisons.flatMap((one) => formatPair(one, rows))]);
}

function formatPair({ first, second, metric, target }: Comparison, rows: readonly Row[]): string[][] {
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
      typeof target === 'number' ? `≥ ${target.toFixed(2)}` : (target ?? '-'),
      target === undefined ? '' : isReached(target, low, median, high) ? 'yes' : 'NO',
    ],
  ];
}

function isReached(target: NonNullable<Comparison['target']>, low: number, median: number, high: number): boolean {
  if (typeof target === 'number') return median >= target;
  return target === 'no loss' ? high >= 1 : low > 1;
}

/** Above 1 when ours is better: more throughput, or less time. */
const betterBy = (metric: Metric, ours: number, theirs: number): number =>
  metric === 'throughput' ? ours / theirs : theirs / ours;
