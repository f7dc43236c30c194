/** Template functions: those of text/template and those of the docker CLI. Pure. */
import { isDeepStrictEqual } from 'node:util';
import { printJson, printValue, sprintf } from './print.ts';

export type TemplateFunction = (...values: unknown[]) => unknown;

/** Truth in Go templates: not the zero value of its type. */
export function isTrue(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (typeof value === 'object' && value !== null) return Object.keys(value).length > 0;
  return Boolean(value);
}

function lengthOf(value: unknown): number {
  if (typeof value === 'string') return Buffer.byteLength(value);
  if (Array.isArray(value)) return value.length;
  if (typeof value === 'object' && value !== null) return Object.keys(value).length;
  throw new Error(value === null || value === undefined ? 'len of nil pointer' : `len of type ${typeof value}`);
}

function indexInto(value: unknown, ...keys: unknown[]): unknown {
  return keys.reduce((current, key) => {
    if (current === null || current === undefined) throw new Error('index of untyped nil');
    if (Array.isArray(current) || typeof current === 'string') {
      if (typeof key !== 'number') throw new Error('cannot index slice/array with type string');
      if (key < 0 || key >= current.length) throw new Error(`index out of range: ${key}`);
      return current[key];
    }
    if (typeof current !== 'object') throw new Error(`can't index item of type ${typeof current}`);
    return Object.hasOwn(current, String(key)) ? (current as Record<string, unknown>)[String(key)] : '';
  }, value);
}

function slice(value: unknown, from: unknown = 0, to?: unknown): unknown {
  if (typeof value !== 'string' && !Array.isArray(value)) throw new Error(`can't slice item of type ${typeof value}`);
  const end = to === undefined ? value.length : Number(to);
  if (Number(from) > value.length || end > value.length) throw new Error(`index out of range: ${end}`);
  return value.slice(Number(from), end);
}

function compare(a: unknown, b: unknown): number {
  const comparable = typeof a === typeof b && (typeof a === 'number' || typeof a === 'string');
  if (!comparable) throw new Error('incompatible types for comparison');
  return (a as number) < (b as number) ? -1 : a === b ? 0 : 1;
}

function join(values: unknown, separator: unknown): string {
  if (!Array.isArray(values)) throw new Error('wrong type for value; expected []string');
  return values.map(printValue).join(String(separator));
}

/** Adds spaces between two values if neither is a string. */
function print(...values: unknown[]): string {
  return values.reduce<string>((text, value, index) => {
    const gap = index > 0 && typeof value !== 'string' && typeof values[index - 1] !== 'string' ? ' ' : '';
    return `${text}${gap}${printValue(value)}`;
  }, '');
}

const escapeHtml = (text: string): string =>
  text
    .replace(/[<>&'"]/g, (char) => `&#${char.charCodeAt(0)};`)
    .replace(/&#(60|62|38);/g, (_, code: string) => {
      return code === '60' ? '&lt;' : code === '62' ? '&gt;' : '&amp;';
    });

export const templateFunctions: Readonly<Record<string, TemplateFunction>> = {
  len: lengthOf,
  index: indexInto,
  slice,
  print,
  println: (...values) => `${values.map(printValue).join(' ')}\n`,
  printf: (format, ...values) => sprintf(String(format), values),
  html: (...values) => escapeHtml(print(...values)),
  urlquery: (...values) => encodeURIComponent(print(...values)).replaceAll('%20', '+'),
  not: (value) => !isTrue(value),
  eq: (first, ...others) => others.some((other) => isDeepStrictEqual(first, other)),
  ne: (a, b) => !isDeepStrictEqual(a, b),
  lt: (a, b) => compare(a, b) < 0,
  le: (a, b) => compare(a, b) <= 0,
  gt: (a, b) => compare(a, b) > 0,
  ge: (a, b) => compare(a, b) >= 0,
  // functions of the docker CLI
  json: printJson,
  split: (text, separator) => String(text).split(String(separator)),
  join,
  title: (text) =>
    String(text).replace(/(^|[\s_-])(\p{L})/gu, (_, gap: string, letter: string) => gap + letter.toUpperCase()),
  lower: (text) => String(text).toLowerCase(),
  upper: (text) => String(text).toUpperCase(),
  pad: (text, before, after) =>
    text === '' ? '' : ' '.repeat(Number(before)) + String(text) + ' '.repeat(Number(after)),
  truncate: (text, length) => String(text).slice(0, Number(length)),
};

/** For the header of a table, functions return their argument unchanged. */
export const headerFunctions: Readonly<Record<string, TemplateFunction>> = {
  ...templateFunctions,
  json: (value) => value,
  title: (value) => value,
  lower: (value) => value,
  upper: (value) => value,
  truncate: (value) => value,
  join: (value) => value,
  split: (value) => [value],
};
