/** Samples and what is said of them. Pure, but for the clock in `timed`. */

/** Milliseconds. */
export type Samples = readonly number[];

export interface Summary {
  count: number;
  median: number;
  p90: number;
}

export function summarize(samples: Samples): Summary {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return { count: sorted.length, median: at(0.5), p90: at(0.9) };
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

export function formatTable(rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
