/** Aligns columns with elastic tab stops, like Go's text/tabwriter. Pure. */

export interface TableStyle {
  /** Minimum width of a column, including padding. */
  minWidth: number;
  padding: number;
}

/** The docker CLI's style of lists. */
export const listStyle: TableStyle = { minWidth: 10, padding: 3 };

/**
 * Aligns text with tabs. A tab ends a cell; text after the last tab of a line belongs to no column. A column consists of
 * consecutive lines that all have a cell at that position.
 */
export function alignTabs(text: string, style: TableStyle = listStyle): string {
  const lines = text.split('\n').map((line) => line.split('\t'));
  const widths = lines.map((): number[] => []);
  setWidths(lines, widths, 0, lines.length, 0, style);
  return lines
    .map((cells, row) =>
      cells
        .map((cell, column) => (column === cells.length - 1 ? cell : padTo(cell, widths[row]?.[column] ?? 0)))
        .join(''),
    )
    .join('\n');
}

function setWidths(
  lines: readonly string[][],
  widths: number[][],
  from: number,
  to: number,
  column: number,
  style: TableStyle,
): void {
  for (let row = from; row < to; row += 1) {
    if (column >= (lines[row]?.length ?? 0) - 1) continue;
    let end = row;
    let width = style.minWidth;
    while (end < to && column < (lines[end]?.length ?? 0) - 1) {
      width = Math.max(width, lengthOf(lines[end]?.[column] ?? '') + style.padding);
      end += 1;
    }
    for (let inside = row; inside < end; inside += 1) widths[inside]?.push(width);
    setWidths(lines, widths, row, end, column + 1, style);
    row = end - 1;
  }
}

const lengthOf = (cell: string): number => [...cell].length;
const padTo = (cell: string, width: number): string => cell + ' '.repeat(Math.max(0, width - lengthOf(cell)));
