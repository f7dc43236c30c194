/** Samples and what is said of them. Pure, but for the clock in `timed`. */

/** Milliseconds, unless said otherwise. */
export type Samples = readonly number[];

export interface Summary {
  count: number;
  p10: number;
  median: number;
  p90: number;
}

export function summarize(samples: Samples): Summary {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return { count: sorted.length, p10: at(0.1), median: at(0.5), p90: at(0.9) };
}

/**
 * The 95 % interval of the median by order statistics: it supposes nothing of how the samples are spread. With fewer
 * than six it is all of them.
 */
export function medianInterval(samples: Samples): { low: number; high: number } {
  const sorted = [...samples].sort((a, b) => a - b);
  const count = sorted.length;
  // Largest number of samples at each end whose both tails of Binomial(count, 1/2) hold 5 % at most.
  let outside = 0;
  let term = 0.5 ** count;
  for (let tail = term; tail <= 0.025; tail += term) {
    outside += 1;
    term *= (count - outside + 1) / outside;
  }
  const first = Math.max(0, outside - 1);
  return { low: sorted[first] ?? Number.NaN, high: sorted[count - 1 - first] ?? Number.NaN };
}

export async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = process.hrtime.bigint();
  await work();
  return Number(process.hrtime.bigint() - started) / 1e6;
}

/** One line of the report: ours beside theirs, and what the project wants of the ratio. */
export interface Comparison {
  name: string;
  ours: Samples;
  theirs: Samples;
  oursName: string;
  theirsName: string;
  unit: string;
  /** Wanted: median of ours at most so many times that of theirs. */
  wanted: number | undefined;
}

export function formatComparison(one: Comparison): string[] {
  const ours = summarize(one.ours);
  const theirs = summarize(one.theirs);
  const ratio = ours.median / theirs.median;
  const verdict = one.wanted === undefined ? '' : ratio <= one.wanted ? 'yes' : 'NO';
  const figure = (summary: Summary): string => `${summary.median.toFixed(1)} (${summary.p90.toFixed(1)})`;
  return [
    one.name,
    `${one.oursName} ${figure(ours)}`,
    `${one.theirsName} ${figure(theirs)}`,
    one.unit,
    ratio.toFixed(2),
    one.wanted === undefined ? '-' : `≤ ${one.wanted.toFixed(2)}`,
    verdict,
    String(ours.count),
  ];
}

const head = ['what', 'netyard', 'beside', 'unit', 'ratio', 'wanted', 'reached', 'n'];

export const formatTable = (rows: readonly (readonly string[])[]): string => formatColumns([head, ...rows]);

/** Cells in columns as wide as their widest. */
export function formatColumns(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
