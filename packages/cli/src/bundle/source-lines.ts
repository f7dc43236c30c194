/** Names the files and lines of the sources in the stack traces of a bundle. Its tables are read when a trace is. */
import { readFileSync } from 'node:fs';

/** Beside each chunk, as JSON: of each of its lines the index of a source and the line there, both from zero. */
export interface LineTable {
  /** Paths from the project's folder. */
  sources: string[];
  /** Two numbers per line of the chunk; -1 where the line has no source. */
  lines: number[];
}

/** `packages/engine/src/a.ts:12`, or undefined. `line` counts from one. Pure. */
export function sourceLine({ sources, lines }: LineTable, line: number): string | undefined {
  const source = sources[lines[2 * (line - 1)] ?? -1];
  return source === undefined ? undefined : `${source}:${(lines[2 * line - 1] ?? 0) + 1}`;
}

/** Replaces the positions of chunks in a stack trace. `tableOf` returns undefined for other files. Pure. */
export function translateStack(stack: string, tableOf: (file: string) => LineTable | undefined): string {
  return stack.replace(/(\/[^\s():]*\.cjs):(\d+):\d+/g, (position, file: string, line: string) => {
    const table = tableOf(file);
    return (table && sourceLine(table, Number(line))) ?? position;
  });
}

/** Translates the `stack` of all errors whose trace is read. */
export function translateStacks(folder: string): void {
  const tables = new Map<string, LineTable | undefined>();
  const read = (file: string): LineTable | undefined => {
    if (!file.startsWith(`${folder}/`)) return undefined;
    if (!tables.has(file)) tables.set(file, readTable(`${file}.lines.json`));
    return tables.get(file);
  };
  Error.prepareStackTrace = (error, sites) =>
    translateStack([describe(error), ...sites.map((site) => `    at ${site}`)].join('\n'), read);
}

/** A trace without its table keeps the positions in the bundle. */
function readTable(path: string): LineTable | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as LineTable;
  } catch {
    return undefined;
  }
}

/** V8's first line of a trace, also for an error whose `toString` fails. */
function describe(error: Error): string {
  try {
    return Error.prototype.toString.call(error);
  } catch {
    return 'Error';
  }
}
