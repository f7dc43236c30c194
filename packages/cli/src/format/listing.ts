/** Formats lists like the docker CLI: default table, `--format table …`, `json`, or one template per row. Pure. */

import { Failure } from '../failure.ts';
import { TemplateError } from '../template/error.ts';
import { compileTemplate, type Template, type TemplateOptions } from '../template/evaluate.ts';
import { headerFunctions } from '../template/functions.ts';
import { jsonText } from '../template/print.ts';
import { alignTabs } from './table.ts';

/**
 * Values by field name in templates; functions receive a template's arguments (`{{.Label "x"}}`). A value that takes time to
 * compute is a getter.
 */
export type Row = Readonly<Record<string, string | null | ((argument: string) => string)>>;

export interface Listing {
  /** Column header of each field. A row may have more fields than the default table shows. */
  headers: Readonly<Record<string, string>>;
  /** Columns of the default table. */
  columns: readonly string[];
  /** The only field shown with `--quiet`. */
  quiet?: string;
  /** Go's type name of a row, for errors: `*formatter.ContainerContext`. */
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
    return renderColumns(listing, rows);
  }
  if (format === 'json') return rows.map((row) => `${jsonOf(row)}\n`).join('');
  if (/^table\s/.test(format)) return renderTable(expandEscapes(format.slice('table'.length).trim()), listing, rows);
  return renderRows(expandEscapes(format), listing, rows);
}

/** The default table, as its template would print it, without the milliseconds that the first template takes. */
function renderColumns({ columns, headers }: Listing, rows: readonly Row[]): string {
  const line = (fields: Row): string => `${columns.map((column) => fields[column] ?? '<no value>').join('\t')}\n`;
  return alignTabs([headers, ...rows].map(line).join(''));
}

/** Expands `\t` and `\n` of a command line. */
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

/** The header of `{{.Label "com.example.zone"}}` is `zone`. */
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
  const render = rewordErrors('failed to parse template', () => compileTemplate(template, options));
  return (data) => rewordErrors('failed to execute template', () => render(data));
}

function rewordErrors<T>(words: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof TemplateError) throw new Failure(`${words}: ${error.message}`);
    throw error;
  }
}

/** Value of `{{json .}}`: the fields that are not functions, by name. */
function withJson(row: Row): object {
  // Descriptors: a copy by value would compute fields that are not shown.
  const fields = Object.getOwnPropertyDescriptors(row);
  // Passed as encoded text, so that `json` escapes it exactly once.
  return Object.defineProperties({}, { ...fields, [jsonText]: { value: () => jsonOf(row) } });
}

/** Escapes like Go's encoding/json, which makes JSON safe inside of HTML. */
const jsonOf = (row: Row): string =>
  JSON.stringify(plainFields(row)).replace(
    /[<>&\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );

function plainFields(row: Row): Record<string, unknown> {
  const plain = Object.entries(row).filter(([, value]) => typeof value !== 'function');
  return Object.fromEntries(plain.sort(([a], [b]) => (a < b ? -1 : 1)));
}
