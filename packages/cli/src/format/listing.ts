/** Lists as the docker command prints them: a default table, `--format table …`, `json`, or a template a row. Pure. */

import { Failure } from '../failure.ts';
import { TemplateError } from '../template/error.ts';
import { compileTemplate, type Template, type TemplateOptions } from '../template/evaluate.ts';
import { headerFunctions } from '../template/functions.ts';
import { jsonText } from '../template/print.ts';
import { alignTabs } from './table.ts';

/** Values by the names that templates use; functions take a template's arguments (`{{.Label "x"}}`). */
export type Row = Readonly<Record<string, string | null | ((argument: string) => string)>>;

export interface Listing {
  /** Column head of each field. A row may have more fields than are shown by default. */
  headers: Readonly<Record<string, string>>;
  /** Columns of the default table. */
  columns: readonly string[];
  /** The field that `--quiet` shows alone. */
  quiet?: string;
  /** Go's name of a row, for errors: `*formatter.ContainerContext`. */
  typeName: string;
}

export interface ListingChoice {
  format: string;
  quiet?: boolean;
}

export function renderListing(listing: Listing, rows: readonly Row[], choice: ListingChoice): string {
  const { format } = choice;
  if (format === '' || format === 'table') {
    if (choice.quiet && listing.quiet) return renderRows(`{{.${listing.quiet}}}`, listing, rows);
    return renderTable(columnsTemplate(listing.columns), listing, rows);
  }
  if (format === 'json') return rows.map((row) => `${jsonOf(row)}\n`).join('');
  if (/^table\s/.test(format)) return renderTable(expandEscapes(format.slice('table'.length).trim()), listing, rows);
  return renderRows(expandEscapes(format), listing, rows);
}

const columnsTemplate = (columns: readonly string[]): string => columns.map((column) => `{{.${column}}}`).join('\t');

/** `\t` and `\n` may be written out on a command line. */
const expandEscapes = (format: string): string => format.replaceAll('\\t', '\t').replaceAll('\\n', '\n');

function renderTable(template: string, listing: Listing, rows: readonly Row[]): string {
  const heads = headRow(listing);
  const head = compile(template, {
    functions: headerFunctions,
    missing: () => '<no value>',
  })(heads);
  return alignTabs(`${head}\n${renderRows(template, listing, rows)}`);
}

function headRow(listing: Listing): Row {
  const heads = Object.entries(listing.headers);
  return Object.fromEntries(heads.map(([field, head]) => [field, field === 'Label' ? labelHead : head]));
}

/** The head of `{{.Label "com.example.zone"}}` is `zone`. */
const labelHead = (name: string): string => (name.split('.').at(-1) ?? '').replaceAll(/[-_]/g, ' ');

function renderRows(template: string, listing: Listing, rows: readonly Row[]): string {
  const render = compile(template, {
    missing: (field, fail) => {
      throw fail(`can't evaluate field ${field} in type ${listing.typeName}`);
    },
  });
  return rows.map((row) => `${render(withJson(row))}\n`).join('');
}

function compile(template: string, options: TemplateOptions): Template {
  const render = worded('failed to parse template', () => compileTemplate(template, options));
  return (data) => worded('failed to execute template', () => render(data));
}

function worded<T>(words: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof TemplateError) throw new Failure(`${words}: ${error.message}`);
    throw error;
  }
}

/** What `{{json .}}` shows: the plain fields, by name. */
function withJson(row: Row): object {
  const target = { ...row };
  // Handed over as the text it becomes: `json` must not escape it again, nor leave it unescaped.
  Object.defineProperty(target, jsonText, { value: () => jsonOf(row) });
  return target;
}

/** Go's encoding/json hides what could end a script in HTML. */
const jsonOf = (row: Row): string =>
  JSON.stringify(plainFields(row)).replace(
    /[<>&\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );

function plainFields(row: Row): Record<string, unknown> {
  const plain = Object.entries(row).filter(([, value]) => typeof value !== 'function');
  return Object.fromEntries(plain.sort(([a], [b]) => (a < b ? -1 : 1)));
}
