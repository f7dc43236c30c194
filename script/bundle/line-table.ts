/** Converts a source map to the table of lines that stack traces need (packages/cli/src/bundle/source-lines.ts). */
import { SourceMap, type SourceMapPayload } from 'node:module';
import type { LineTable } from '../../packages/cli/src/bundle/source-lines.ts';

/** `map`: null for code of the bundler itself. `lines`: number of lines of the chunk. `pathOf`: path of one of the map's sources from the project's folder. */
export function lineTable(map: SourceMapPayload | null, lines: number, pathOf: (source: string) => string): LineTable {
  if (map === null) return { sources: [], lines: [] };
  const parsed = new SourceMap(map);
  const sources: string[] = [];
  const indexes = new Map<string, number>();
  const table: number[] = [];
  for (let line = 0; line < lines; line += 1) {
    const entry = parsed.findEntry(line, Number.MAX_SAFE_INTEGER);
    if (!('originalSource' in entry) || entry.generatedLine !== line) {
      table.push(-1, -1);
      continue;
    }
    let index = indexes.get(entry.originalSource);
    if (index === undefined) {
      index = sources.push(pathOf(entry.originalSource)) - 1;
      indexes.set(entry.originalSource, index);
    }
    table.push(index, entry.originalLine);
  }
  return { sources, lines: table };
}
