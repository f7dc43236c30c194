/** The table of the stall benchmark. Pure. */
import { formatColumns, type Samples } from '../measure.ts';

/** Output of the containers, and the CPU that the engine needs for it. */
export interface OutputRate {
  megabytesPerSecond: number;
  /** Seconds. */
  cpuPerGigabyte: number;
}

export interface Latencies {
  version: Samples;
  run: Samples;
  /** Without requests, and while the samples are taken; undefined in the idle row. */
  output?: { alone: OutputRate; busy: OutputRate };
}

/** An engine that was not measured is absent. */
export interface Row {
  name: string;
  netyard?: Latencies;
  dockerd?: Latencies;
}

/** The smallest sample that at least this share of all samples does not exceed (nearest rank). NaN without samples. */
export function quantile(samples: Samples, share: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const rank = Math.ceil(sorted.length * share);
  return sorted[Math.max(1, rank) - 1] ?? Number.NaN;
}

const spread = (samples: Samples): string =>
  [quantile(samples, 0.5), quantile(samples, 0.99), Math.max(...samples)].map((ms) => ms.toFixed(1)).join(' / ');

/** Ratios of p50 and p99. */
const ratio = (ours: Samples, theirs: Samples): string =>
  [0.5, 0.99].map((share) => (quantile(ours, share) / quantile(theirs, share)).toFixed(2)).join(' / ');

const head = ['load', 'what', 'netyard', 'dockerd', 'to dockerd', 'to idle', 'dockerd to idle'];

/** @param rows the first one is idle, and the others are compared with it */
export function formatStalls(rows: readonly Row[]): string {
  const [idle] = rows;
  if (!idle) return '';
  const lines = rows.flatMap((row) => [
    latencyLine(row, idle, 'version', 'GET /version, ms'),
    latencyLine(row, idle, 'run', 'docker run --rm, ms'),
    ...(row === idle ? [] : outputLines(row)),
  ]);
  return formatColumns([head, ...lines]);
}

/** `-` where an engine was not measured. */
const each = <T>(format: (...values: T[]) => string, ...values: (T | undefined)[]): string => {
  const known = values.filter((value) => value !== undefined);
  return known.length < values.length ? '-' : format(...known);
};

function latencyLine({ name, netyard, dockerd }: Row, idle: Row, what: 'version' | 'run', title: string): string[] {
  const [ours, theirs] = [netyard?.[what], dockerd?.[what]];
  return [
    name,
    title,
    each(spread, ours),
    each(spread, theirs),
    each(ratio, ours, theirs),
    each(ratio, ours, idle.netyard?.[what]),
    each(ratio, theirs, idle.dockerd?.[what]),
  ];
}

function outputLines({ name, netyard, dockerd }: Row): string[][] {
  const line = (title: string, pick: (rates: NonNullable<Latencies['output']>) => number): string[] => {
    const [ours, theirs] = [netyard, dockerd].map((one) => one?.output && pick(one.output));
    const figure = (value: number): string => value.toFixed(value < 10 ? 2 : 1);
    return [name, title, each(figure, ours), each(figure, theirs), each((a, b) => (a / b).toFixed(2), ours, theirs)];
  };
  return [
    line('output alone, MB/s', ({ alone }) => alone.megabytesPerSecond),
    line('output with requests, MB/s', ({ busy }) => busy.megabytesPerSecond),
    line('output alone, CPU s/GB', ({ alone }) => alone.cpuPerGigabyte),
    line('output with requests, CPU s/GB', ({ busy }) => busy.cpuPerGigabyte),
  ];
}
