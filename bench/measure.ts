/** Samples, their statistics and tables. Pure, except for the clock in `timed`. */

/** Milliseconds by default. */
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
 * The 95 % confidence interval of the median by order statistics, for any distribution. With fewer than six samples it
 * is the whole range.
 */
export function medianInterval(samples: Samples): { low: number; high: number } {
  const sorted = [...samples].sort((a, b) => a - b);
  const count = sorted.length;
  // Largest number of samples at each end so that both tails of Binomial(count, 1/2) hold at most 5 %.
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

/** One line of the report: ours compared with theirs, and the project's target for the ratio. */
export interface Comparison {
  name: string;
  ours: Samples;
  theirs: Samples;
  oursName: string;
  theirsName: string;
  unit: string;
  /** Target: the largest ratio of our median to theirs. */
  target: number | undefined;
}

export function formatComparison(one: Comparison): string[] {
  const ours = summarize(one.ours);
  const theirs = summarize(one.theirs);
  const ratio = ours.median / theirs.median;
  const verdict = one.target === undefined ? '' : ratio <= one.target ? 'yes' : 'NO';
  const figure = (summary: Summary): string => `${summary.median.toFixed(1)} (${summary.p90.toFixed(1)})`;
  return [
    one.name,
    `${one.oursName} ${figure(ours)}`,
    `${one.theirsName} ${figure(theirs)}`,
    one.unit,
    ratio.toFixed(2),
    one.target === undefined ? '-' : `≤ ${one.target.toFixed(2)}`,
    verdict,
    String(ours.count),
  ];
}

const head = ['what', 'netyard', 'compared', 'unit', 'ratio', 'target', 'reached', 'n'];

export const formatTable = (rows: readonly (readonly string[])[]): string => formatColumns([head, ...rows]);

/** Aligns cells in columns. */
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
