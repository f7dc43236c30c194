/** Converts repeated `--filter key=value` to the API's filters. Pure. */
import type { FlagSpec } from '../program/flags.ts';

export const filterFlag: FlagSpec = {
  name: 'filter',
  short: 'f',
  type: 'filter',
  help: 'Filter output based on conditions provided',
  check: parseFilter,
};

/** Undefined for ''. Throws docker's messages. */
export function parseFilter(text: string): [string, string] | undefined {
  if (text === '') return undefined;
  const split = text.indexOf('=');
  if (split === -1) throw new Error('bad format of filter (expected name=value)');
  return [text.slice(0, split).toLowerCase().trim(), text.slice(split + 1).trim()];
}

export function parseFilters(texts: readonly string[]): Record<string, string[]> {
  const filters: Record<string, string[]> = {};
  for (const text of texts) {
    const filter = parseFilter(text);
    if (!filter) continue;
    filters[filter[0]] = [...(filters[filter[0]] ?? []), filter[1]];
  }
  return filters;
}
