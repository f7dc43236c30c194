/** The tables of docs/performance.md: figures of one part of the bench, beside those of other engines. Pure. */
import { formatColumns, type Samples, summarize } from './measure.ts';

/** A largest ratio to another column's median, or a largest median. */
export type Target = { ratio: number; to: string } | { atMost: number };

export interface Row {
  name: string;
  unit: string;
  /** By column; the first column is Netyard's. A missing cell was not measured. */
  cells: Readonly<Record<string, Samples>>;
  /** Several: all of them. */
  target?: Target | readonly Target[];
}

export interface Table {
  /** Name of the bench's part, and of the markers in the document. */
  part: string;
  columns: readonly string[];
  rows: readonly Row[];
  /** What was compared on which machine: lines of Markdown. */
  facts: readonly string[];
}

/** Three significant digits. */
const figure = (value: number): string => (value >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3))));

/** `23.1 (22.0–25.9)`: the median and the range from the 10th to the 90th percentile. */
function cellText(samples: Samples | undefined): string {
  if (samples === undefined) return '–';
  const { p10, median, p90 } = summarize(samples);
  return `${figure(median)} (${figure(p10)}–${figure(p90)})`;
}

const medianOf = (samples: Samples | undefined): number => summarize(samples ?? []).median;

const targetsOf = ({ target = [] }: Row): readonly Target[] => ('length' in target ? target : [target]);

const targetText = (target: Target): string =>
  'atMost' in target ? `≤ ${target.atMost}` : `≤ ${target.ratio} × ${target.to}`;

/** `yes`, or what was measured instead. Undefined: not measured. */
function reachedText({ cells }: Row, own: string, target: Target): string | undefined {
  const ours = medianOf(cells[own]);
  if (Number.isNaN(ours)) return undefined;
  if ('atMost' in target) return ours <= target.atMost ? 'yes' : '**no**';
  const ratio = ours / medianOf(cells[target.to]);
  if (Number.isNaN(ratio)) return undefined;
  return ratio <= target.ratio ? `yes: ${ratio.toFixed(2)}` : `**no: ${ratio.toFixed(2)}**`;
}

/** The last two columns. Targets that refer to a column that was not measured are omitted. */
function targetCells(row: Row, own: string): string[] {
  const judged = targetsOf(row).map((target) => ({ target, reached: reachedText(row, own, target) }));
  const shown = judged.filter(({ reached }) => reached !== undefined);
  if (shown.length === 0) return [targetsOf(row).map(targetText).join(', ') || '–', '–'];
  return [shown.map(({ target }) => targetText(target)).join(', '), shown.map(({ reached }) => reached).join(', ')];
}

function tableCells({ columns, rows }: Table): string[][] {
  const own = columns[0] ?? '';
  const body = rows.map((row) => [
    ...[row.name, row.unit, ...columns.map((column) => cellText(row.cells[column]))],
    ...targetCells(row, own),
  ]);
  return [['what', 'unit', ...columns, 'target', 'reached'], ...body];
}

/** One line per figure in which another column is better. */
export function linesBehind({ columns: [own = '', ...others], rows }: Table): string[] {
  return rows.flatMap((row) => {
    const ours = medianOf(row.cells[own]);
    const better = others.filter((other) => medianOf(row.cells[other]) < ours);
    if (better.length === 0) return [];
    const ratios = better.map((other) => `${(ours / medianOf(row.cells[other])).toFixed(2)} × ${other}`);
    return [`${row.name}: ${ratios.join(', ')}`];
  });
}

export function formatForTerminal(table: Table): string {
  const behind = linesBehind(table).map((line) => `behind in ${line}`);
  return [formatColumns(tableCells(table)), ...behind, ...table.facts].join('\n');
}

export function formatForDocument(table: Table): string {
  const [head = [], ...body] = tableCells(table);
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const behind = linesBehind(table);
  return [
    ...[line(head), line(head.map(() => '---')), ...body.map(line), ''],
    ...(behind.length === 0 ? [] : ['Netyard is behind in:', '', ...behind.map((item) => `- ${item}`), '']),
    ...table.facts,
  ].join('\n');
}

/** Replaces what is between a part's markers. Throws if the document has none. */
export function replacePart(document: string, part: string, text: string): string {
  const [begin, end] = [`<!-- bench: ${part} -->`, `<!-- end of bench: ${part} -->`];
  const [from, to] = [document.indexOf(begin), document.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`the document has no markers ${begin} and ${end}`);
  return `${document.slice(0, from + begin.length)}\n${text.trim()}\n${document.slice(to)}`;
}
