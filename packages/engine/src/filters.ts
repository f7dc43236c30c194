/** The rules that Docker's filters share (moby daemon/internal/filters). */
import { isNetyardError, NetyardError } from '@netyard/core';
import type { Filters } from './contract.ts';
import { type Expression, parseExpression } from './expression.ts';

/** Throws `invalid` with Docker's message for a filter that the command does not have. */
export function checkFilterKeys(filters: Filters, allowed: readonly string[]): void {
  for (const key of filters.keys())
    if (!allowed.includes(key)) throw new NetyardError('invalid', `invalid filter '${key}'`);
}

/** `label=key` or `label=key=value`; all of them must match. */
export function matchesKeyValues(
  requested: readonly string[] | undefined,
  found: Readonly<Record<string, string>>,
): boolean {
  return (requested ?? []).every((text) => {
    const equals = text.indexOf('=');
    const value = found[equals < 0 ? text : text.slice(0, equals)];
    return value !== undefined && (equals < 0 || value === text.slice(equals + 1));
  });
}

/** For prune: `label=` and `label!=`. */
export function matchesPruneLabels(filters: Filters, labels: Readonly<Record<string, string>>): boolean {
  if (!matchesKeyValues(filters.get('label'), labels)) return false;
  const refused = filters.get('label!') ?? [];
  return refused.length === 0 || !matchesKeyValues(refused, labels);
}

/** One of the values, exactly; a filter without values matches everything. */
export function matchesExactly(requested: readonly string[] | undefined, found: string): boolean {
  return requested === undefined || requested.length === 0 || requested.includes(found);
}

/** Docker's Match: one of the values, exactly or as a regular expression. */
export function patternTest(requested: readonly string[] | undefined): (found: string) => boolean {
  if (requested === undefined || requested.length === 0) return () => true;
  const expressions = requested.flatMap((pattern) => validExpression(pattern) ?? []);
  return (found) => requested.includes(found) || expressions.some((expression) => expression.test(found));
}

function validExpression(pattern: string): Expression | undefined {
  try {
    return parseExpression(pattern);
  } catch (error) {
    if (isNetyardError(error, 'invalid')) return undefined; // Docker, too, treats an invalid expression as plain text
    throw error;
  }
}

/** `true`, `1`, `false`, `0`; as in Docker, other values beside one of them do not count. Throws `invalid`. */
export function booleanFilter(filters: Filters, key: string): boolean | undefined {
  const values = filters.get(key);
  if (values === undefined || values.length === 0) return undefined;
  const isTrue = values.some((value) => value === '1' || value === 'true');
  const isFalse = values.some((value) => value === '0' || value === 'false');
  if (isTrue !== isFalse) return isTrue;
  throw new NetyardError('invalid', `invalid filter '${key}=[${values.join(' ')}]'`);
}

/** `until`: a time (seconds since 1970, RFC 3339) or a duration before `now` (`10m`, `1h30m`). Nanoseconds. */
export function untilFilter(filters: Filters, now: bigint): bigint | undefined {
  const values = filters.get('until');
  if (values === undefined || values.length === 0) return undefined;
  const [text = ''] = values;
  if (values.length > 1) throw new NetyardError('invalid', 'more than one until filter specified');
  const time = parseTime(text, now);
  if (time === undefined) throw new NetyardError('invalid', `failed to parse value as time or duration: "${text}"`);
  return time;
}

function parseTime(text: string, now: bigint): bigint | undefined {
  if (/^\d+(\.\d+)?$/.test(text)) return BigInt(Math.round(Number(text) * 1e9));
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)];
  if (parts.length > 0 && parts.map(([part]) => part).join('') === text) {
    const unit: Record<string, number> = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 };
    const duration = parts.reduce((sum, [, number, name = '']) => sum + Number(number) * (unit[name] ?? 0), 0);
    return now - BigInt(Math.round(duration));
  }
  const milliseconds = Date.parse(text);
  return Number.isNaN(milliseconds) ? undefined : BigInt(milliseconds) * 1_000_000n;
}
