/** The table of the stall bench. Pure. */
import { formatColumns, type Samples } from '../measure.ts';

export interface Latencies {
  version: Samples;
  run: Samples;
  /** MB/s that the noisy containers get rid of; undefined when it is quiet. */
  throughput: number | undefined;
}

export interface Row {
  name: string;
  netyard: Latencies;
  dockerd: Latencies;
}

export function quantile(samples: Samples, share: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

const spread = (samples: Samples): string =>
  [quantile(samples, 0.5), quantile(samples, 0.99), Math.max(...samples)].map((ms) => ms.toFixed(1)).join(' / ');

/** Ratios of p50 and p99. */
function ratio(ours: Samples, theirs: Samples): string {
  return [0.5, 0.99].map((share) => (quantile(ours, share) / quantile(theirs, share)).toFixed(2)).join(' / ');
}

const head = ['beside', 'what', 'netyard ms', 'dockerd ms', 'to dockerd', 'to quiet', 'dockerd to quiet'];

/** The first row is the quiet one, that the others are compared with. */
export function formatStalls(rows: readonly Row[]): string {
  const [quiet] = rows;
  if (!quiet) return '';
  const lines = rows.flatMap((row) => [
    ...(['version', 'run'] as const).map((what) => [
      row.name,
      what === 'version' ? 'GET /version' : 'docker run --rm',
      spread(row.netyard[what]),
      spread(row.dockerd[what]),
      ratio(row.netyard[what], row.dockerd[what]),
      ratio(row.netyard[what], quiet.netyard[what]),
      ratio(row.dockerd[what], quiet.dockerd[what]),
    ]),
    ...throughputLine(row),
  ]);
  return formatColumns([head, ...lines]);
}

function throughputLine({ name, netyard, dockerd }: Row): string[][] {
  if (netyard.throughput === undefined || dockerd.throughput === undefined) return [];
  const times = (netyard.throughput / dockerd.throughput).toFixed(2);
  return [[name, 'output, MB/s', netyard.throughput.toFixed(1), dockerd.throughput.toFixed(1), times, '', '']];
}
