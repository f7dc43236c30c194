/**
 * Describes why a text is not JSON or not of the expected shape, with the messages of Go's decoder, which Docker's
 * clients know. Runs only after `JSON.parse` or a schema has rejected the text. Pure.
 */
import type { z } from 'zod';

/** Thrown by the scanner at the first error; caught in this file. */
class Refusal extends Error {}

interface Cursor {
  text: string;
  at: number;
  depth: number;
}

/** Go's limit. */
const MAXIMUM_DEPTH = 10_000;

/** @param text one that `JSON.parse` has rejected */
export function describeJsonError(text: string): string {
  const cursor: Cursor = { text, at: 0, depth: 0 };
  try {
    scanValue(cursor, 'looking for beginning of value');
  } catch (error) {
    if (error instanceof Refusal) return error.message;
    if (error instanceof RangeError) return 'exceeded max depth';
    throw error;
  }
  return 'unexpected content after JSON';
}

function refuse(cursor: Cursor, context: string): never {
  const code = cursor.text.codePointAt(cursor.at);
  if (code === undefined) throw new Refusal('unexpected EOF');
  throw new Refusal(`invalid character ${quote(code)} ${context}`);
}

/** One character as Go quotes it. */
function quote(code: number): string {
  const escapes: Readonly<Record<number, string>> = { 9: '\\t', 10: '\\n', 13: '\\r', 39: "\\'", 92: '\\\\' };
  const known = code === 34 ? '"' : escapes[code];
  if (known !== undefined) return `'${known}'`;
  return code < 32 || code === 127 ? `'\\x${code.toString(16).padStart(2, '0')}'` : `'${String.fromCodePoint(code)}'`;
}

function skipSpace(cursor: Cursor): string | undefined {
  while (' \t\r\n'.includes(cursor.text[cursor.at] ?? 'x')) cursor.at += 1;
  return cursor.text[cursor.at];
}

function scanValue(cursor: Cursor, context: string): void {
  const next = skipSpace(cursor);
  const word = ['true', 'false', 'null'].find((known) => next === known[0]);
  if (next === '{') scanObject(cursor);
  else if (next === '[') scanArray(cursor);
  else if (next === '"') scanString(cursor);
  else if (next === '-' || isDigit(next)) scanNumber(cursor);
  else if (word !== undefined) scanWord(cursor, word);
  else refuse(cursor, context);
}

function enter(cursor: Cursor): void {
  cursor.at += 1;
  cursor.depth += 1;
  if (cursor.depth > MAXIMUM_DEPTH) throw new Refusal('exceeded max depth');
}

function leave(cursor: Cursor): void {
  cursor.at += 1;
  cursor.depth -= 1;
}

function scanObject(cursor: Cursor): void {
  enter(cursor);
  if (skipSpace(cursor) === '}') {
    leave(cursor);
    return;
  }
  for (;;) {
    if (skipSpace(cursor) !== '"') refuse(cursor, 'looking for beginning of object key string');
    scanString(cursor);
    if (skipSpace(cursor) !== ':') refuse(cursor, 'after object key');
    cursor.at += 1;
    scanValue(cursor, 'looking for beginning of value');
    if (skipSpace(cursor) === '}') {
      leave(cursor);
      return;
    }
    if (skipSpace(cursor) !== ',') refuse(cursor, 'after object key:value pair');
    cursor.at += 1;
  }
}

function scanArray(cursor: Cursor): void {
  enter(cursor);
  if (skipSpace(cursor) === ']') {
    leave(cursor);
    return;
  }
  for (;;) {
    scanValue(cursor, 'looking for beginning of value');
    if (skipSpace(cursor) === ']') {
      leave(cursor);
      return;
    }
    if (skipSpace(cursor) !== ',') refuse(cursor, 'after array element');
    cursor.at += 1;
  }
}

function scanString(cursor: Cursor): void {
  for (cursor.at += 1; cursor.text[cursor.at] !== '"'; cursor.at += 1) {
    if ((cursor.text.charCodeAt(cursor.at) || 0) < 32) refuse(cursor, 'in string literal');
    if (cursor.text[cursor.at] === '\\') scanEscape(cursor);
  }
  cursor.at += 1;
}

function scanEscape(cursor: Cursor): void {
  cursor.at += 1;
  const kind = cursor.text[cursor.at];
  if (kind === undefined || !'"\\/bfnrtu'.includes(kind)) refuse(cursor, 'in string escape code');
  for (let digits = kind === 'u' ? 4 : 0; digits > 0; digits -= 1) {
    cursor.at += 1;
    if (!/^[\da-f]$/i.test(cursor.text[cursor.at] ?? '')) refuse(cursor, 'in \\u hexadecimal character escape');
  }
}

const isDigit = (character: string | undefined): boolean => character !== undefined && /^\d$/.test(character);

function scanDigits(cursor: Cursor, context: string): void {
  if (!isDigit(cursor.text[cursor.at])) refuse(cursor, context);
  while (isDigit(cursor.text[cursor.at])) cursor.at += 1;
}

function scanNumber(cursor: Cursor): void {
  if (cursor.text[cursor.at] === '-') cursor.at += 1;
  if (cursor.text[cursor.at] === '0') cursor.at += 1;
  else scanDigits(cursor, 'in numeric literal');
  if (cursor.text[cursor.at] === '.') {
    cursor.at += 1;
    scanDigits(cursor, 'after decimal point in numeric literal');
  }
  if (/^e$/i.test(cursor.text[cursor.at] ?? '')) {
    cursor.at += 1;
    if (/^[+-]$/.test(cursor.text[cursor.at] ?? '')) cursor.at += 1;
    scanDigits(cursor, 'in exponent of numeric literal');
  }
}

function scanWord(cursor: Cursor, word: string): void {
  for (const letter of word) {
    if (cursor.text[cursor.at] !== letter) refuse(cursor, `in literal ${word} (expecting '${letter}')`);
    cursor.at += 1;
  }
}

const goTypes: Readonly<Record<string, string>> = {
  string: 'string',
  int: 'int64',
  number: 'int64',
  boolean: 'bool',
  array: '[]string',
  tuple: '[2]uint',
  record: 'map[string]string',
  object: 'struct',
};

/** Describes the first issue; the schema must have run with `reportInput`. */
export function describeShapeError(issues: readonly z.core.$ZodIssue[]): string {
  const issue = innermost(issues[0], []);
  if (!issue) return `${issues[0]?.path.map(String).join('.')}: ${issues[0]?.message}`;
  const field = issue.path.length === 0 ? 'value' : `struct field ${issue.path.join('.')}`;
  const type = goTypes[issue.expected] ?? issue.expected;
  return `json: cannot unmarshal ${kindOf(issue.input)} into Go ${field} of type ${type}`;
}

interface Mismatch {
  path: string[];
  expected: string;
  input: unknown;
}

/** Of a union, the first member is described. */
function innermost(issue: z.core.$ZodIssue | undefined, above: readonly PropertyKey[]): Mismatch | undefined {
  if (!issue) return undefined;
  const path = [...above, ...issue.path];
  if (issue.code === 'invalid_union') {
    const inner = innermost(issue.errors[0]?.[0], path);
    if (inner) return inner;
  }
  if (issue.code === 'invalid_type') return { path: path.map(String), expected: issue.expected, input: issue.input };
  const isNumber = typeof issue.input === 'number';
  return isNumber ? { path: path.map(String), expected: 'int', input: issue.input } : undefined;
}

function kindOf(value: unknown): string {
  if (value === undefined || value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'boolean') return 'bool';
  return typeof value === 'number' ? `number${Number.isInteger(value) ? '' : ` ${value}`}` : typeof value;
}
