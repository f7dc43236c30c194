/** Parses query parameters as Docker does. Pure. */
import { NetyardError, parseGoBoolean } from '@netyard/core';
import type { Filters } from '@netyard/engine';
import { z } from 'zod';

const falseWords = ['', '0', 'no', 'false', 'none'];

/** Docker's booleans: true except for a few values. */
export function readBoolean(query: URLSearchParams, name: string, otherwise = false): boolean {
  const value = query.get(name);
  return value === null ? otherwise : !falseWords.includes(value.trim().toLowerCase());
}

/** Where Docker reads a boolean by Go's strconv.ParseBool. Throws `invalid` with its message. */
export function readGoBoolean(query: URLSearchParams, name: string): boolean {
  const value = query.get(name) ?? '';
  const parsed = value === '' ? false : parseGoBoolean(value);
  if (parsed !== undefined) return parsed;
  const reason = `strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`;
  throw new NetyardError('invalid', `invalid value for ${name}: ${value}: ${reason}`);
}

/** Throws `invalid` unless it is an integer; undefined when absent or empty. */
export function readInteger(query: URLSearchParams, name: string): number | undefined {
  const value = query.get(name);
  if (value === null || value === '') return undefined;
  if (!/^[+-]?\d{1,15}$/.test(value))
    throw new NetyardError('invalid', `invalid value for ${name}: parsing "${value}": invalid syntax`);
  return Number(value);
}

/** Height or width of a terminal, a required 32-bit number. Throws `invalid` with Docker's message. */
export function readTerminalSize(query: URLSearchParams): { rows: number; columns: number } {
  const side = (name: string, what: string): number => {
    const value = query.get(name) ?? '';
    const wrong = (why: string): NetyardError =>
      new NetyardError('invalid', `invalid resize ${what} ${JSON.stringify(value)}: ${why}`);
    if (!/^-?\d+$/.test(value)) throw wrong('invalid syntax');
    if (value.startsWith('-') || Number(value) > 0xffff_ffff) throw wrong('value out of range');
    return Number(value);
  };
  return { rows: side('h', 'height'), columns: side('w', 'width') };
}

/** Seconds since 1970 with up to nine decimals (`1136073600.000000001`) as nanoseconds; undefined for '' and '0'. */
export function readTimestamp(query: URLSearchParams, name: string): bigint | undefined {
  const value = query.get(name);
  if (value === null || value === '' || value === '0') return undefined;
  const match = /^(-?\d{1,12})(?:\.(\d{1,9}))?$/.exec(value);
  if (!match) throw new NetyardError('invalid', `invalid value for ${name}: "${value}" is not a time`);
  const fraction = BigInt((match[2] ?? '').padEnd(9, '0'));
  const whole = BigInt(match[1] ?? '0') * 1_000_000_000n;
  return value.startsWith('-') ? whole - fraction : whole + fraction;
}

/** `tail=all` or a number; a negative number means all, as in Docker. */
export function readTail(query: URLSearchParams): number | undefined {
  const value = query.get('tail');
  if (value === null || value === '' || value === 'all' || !/^\d{1,15}$/.test(value)) return undefined;
  return Number(value);
}

const valuesSchema = z.union([z.array(z.string()), z.record(z.string(), z.boolean()), z.null()]);
const filterSchema = z.union([z.record(z.string(), valuesSchema), z.null()]);

/**
 * Accepts `{"status":["running"]}` and the older `{"status":{"running":true}}`, in which Docker ignores whether the
 * value is true or false. Throws `invalid`.
 */
export function readFilters(query: URLSearchParams, name = 'filters'): Filters {
  const text = query.get(name);
  if (text === null || text === '') return new Map();
  const parsed = filterSchema.safeParse(parseJson(text));
  if (!parsed.success) throw new NetyardError('invalid', 'invalid filter');
  return new Map(
    Object.entries(parsed.data ?? {}).map(([key, values]) => [
      key,
      Array.isArray(values) ? values : Object.keys(values ?? {}),
    ]),
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new NetyardError('invalid', 'invalid filter', { cause });
  }
}
