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
  /** The largest CPU share that other programs had during a group: CPU seconds per second. */
  foreign: number;
}

/** Some requests and one `docker run`. */
export type Group = Latencies;

/** More disturbs a group. Less is within the resolution of the counters (10 ms for each process). */
const toleratedShare = 0.1;

export const undisturbed = (groups: readonly Group[]): Group[] =>
  groups.filter(({ foreign }) => foreign <= toleratedShare);

/** Selects by what other programs took of the CPUs, never by the latencies. */
export const leastDisturbed = (groups: readonly Group[], count: number): Group[] =>
  groups.toSorted((a, b) => a.foreign - b.foreign).slice(0, count);

/** Latencies beside output. */
export interface Loaded extends Latencies {
  /** Without requests, and while the samples are taken. */
  output: { alone: OutputRate; busy: OutputRate };
}

/** An engine's latencies beside output, and just before and after it. */
export interface Measured {
  loaded: Loaded;
  idle: Latencies;
}

/** An engine that was not measured is absent. */
export interface Row {
  name: string;
  netyard?: Measured;
  dockerd?: Measured;
}

export const joinGroups = (groups: readonly Group[]): Latencies => ({
  version: groups.flatMap(({ version }) => version),
  run: groups.flatMap(({ run }) => run),
  foreign: Math.max(...groups.map(({ foreign }) => foreign)),
});

/** The smallest number of `docker run` that a figure beside output is made of. */
export const leastRuns = (rows: readonly Row[]): number =>
  Math.min(
    ...rows.flatMap(({ netyard, dockerd }) => [netyard, dockerd].flatMap((one) => (one ? one.loaded.run.length : []))),
  );

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

const head = ['load', 'what', 'netyard', 'idle', 'to idle', 'dockerd', 'idle', 'to idle', 'to dockerd'];

export const formatStalls = (rows: readonly Row[]): string =>
  formatColumns([
    head,
    ...rows.flatMap((row) => [
      latencyLine(row, 'version', 'GET /version, ms'),
      latencyLine(row, 'run', 'docker run --rm, ms'),
      foreignLine(row),
      ...outputLines(row),
    ]),
  ]);

/** `-` where an engine was not measured. */
const each = <T>(format: (...values: T[]) => string, ...values: (T | undefined)[]): string => {
  const known = values.filter((value) => value !== undefined);
  return known.length < values.length ? '-' : format(...known);
};

function latencyLine({ name, netyard, dockerd }: Row, what: 'version' | 'run', title: string): string[] {
  const figures = (one: Measured | undefined): string[] => {
    const [loaded, idle] = [one?.loaded[what], one?.idle[what]];
    return [each(spread, loaded), each(spread, idle), each(ratio, loaded, idle)];
  };
  return [
    name,
    title,
    ...figures(netyard),
    ...figures(dockerd),
    each(ratio, netyard?.loaded[what], dockerd?.loaded[what]),
  ];
}

/** Whether a row was disturbed. */
function foreignLine({ name, netyard, dockerd }: Row): string[] {
  const percent = ({ foreign }: Latencies): string => (100 * foreign).toFixed(0);
  const figures = (one: Measured | undefined): string[] => [each(percent, one?.loaded), each(percent, one?.idle), ''];
  return [name, 'other programs, % of a CPU', ...figures(netyard), ...figures(dockerd)];
}

function outputLines({ name, netyard, dockerd }: Row): string[][] {
  const line = (title: string, pick: (rates: Loaded['output']) => number): string[] => {
    const [ours, theirs] = [netyard, dockerd].map((one) => one && pick(one.loaded.output));
    const figure = (value: number): string => value.toFixed(value < 10 ? 2 : 1);
    const compared = each((a, b) => (a / b).toFixed(2), ours, theirs);
    return [name, title, each(figure, ours), '', '', each(figure, theirs), '', '', compared];
  };
  return [
    line('output alone, MB/s', ({ alone }) => alone.megabytesPerSecond),
    line('output with requests, MB/s', ({ busy }) => busy.megabytesPerSecond),
    line('output alone, CPU s/GB', ({ alone }) => alone.cpuPerGigabyte),
    line('output with requests, CPU s/GB', ({ busy }) => busy.cpuPerGigabyte),
  ];
}

/** The project's target: to the idle engine, of p50 and p99. */
const largestRatio = 2;

const figures = (samples: Samples): string =>
  [0.5, 0.99].map((share) => quantile(samples, share).toFixed(1)).join(' / ');

const ratios = (ours: Samples, theirs: Samples): number[] =>
  [0.5, 0.99].map((share) => quantile(ours, share) / quantile(theirs, share));

/** `yes`, or what is above its target. */
function reached(row: Row, what: 'version' | 'run'): string {
  const { netyard, dockerd } = row;
  if (!netyard) return '–';
  const above = [
    ...(Math.max(...ratios(netyard.loaded[what], netyard.idle[what])) > largestRatio ? ['to idle'] : []),
    ...(dockerd && Math.max(...ratios(netyard.loaded[what], dockerd.loaded[what])) > 1 ? ['to dockerd'] : []),
  ];
  return above.length === 0 ? 'yes' : `**no: ${above.join(', ')}**`;
}

/** Lines of Markdown. @param facts what was measured on which machine */
export function formatForDocument(rows: readonly Row[], facts: readonly string[]): string {
  const cells = rows.flatMap((row) =>
    (['version', 'run'] as const).map((what) => {
      const { netyard, dockerd } = row;
      const loaded = (one: Measured | undefined): string => (one ? figures(one.loaded[what]) : '–');
      const idle = (one: Measured | undefined): string => (one ? figures(one.idle[what]) : '–');
      const toIdle = netyard ? ratio(netyard.loaded[what], netyard.idle[what]) : '–';
      const title = what === 'version' ? '`GET /version`' : '`docker run --rm`';
      return [
        row.name,
        title,
        loaded(netyard),
        idle(netyard),
        toIdle,
        loaded(dockerd),
        idle(dockerd),
        reached(row, what),
      ];
    }),
  );
  const titles = [
    'beside',
    'request',
    'Netyard',
    'idle',
    'to idle',
    'dockerd 20.10',
    'idle',
    `≤ ${largestRatio} × idle, ≤ dockerd`,
  ];
  const line = (texts: readonly string[]): string => `| ${texts.join(' | ')} |`;
  return [line(titles), line(titles.map(() => '---')), ...cells.map(line), '', ...facts].join('\n');
}
