/** Fills a request's fields from flags, according to the field tables. Pure; parsers throw. */
import type { Field, FieldTable, FlagFacts } from '@netyard/api-types';
import type { Flags } from '../program/flags.ts';
import { parseBytes, parseCpus, parseDuration, parseRestart, parseSwap } from '../program/values.ts';
import { parseDeviceLimit } from './device-limits.ts';
import { keyValues } from './environment.ts';
import { parseCapabilities, parseDevice } from './host-resources.ts';
import { parseExtraHost } from './hosts.ts';
import { parseTmpfs } from './mounts.ts';
import { parseUlimit } from './ulimit.ts';

const throttled = (kind: 'bytes' | 'count') => (texts: string[]) =>
  texts.map((text) => parseDeviceLimit(text, kind)).map(({ path, value }) => ({ Path: path, Rate: value }));

/** Parsers by flag name, for flags whose type does not determine the value; they receive all values. */
const parsers: Readonly<Record<string, (texts: string[]) => unknown>> = {
  'add-host': (texts) => texts.map(parseExtraHost),
  'blkio-weight-device': (texts) =>
    texts.map((text) => parseDeviceLimit(text, 'weight')).map(({ path, value }) => ({ Path: path, Weight: value })),
  'cap-add': parseCapabilities,
  'cap-drop': parseCapabilities,
  device: (texts) => texts.map(parseDevice),
  'device-read-bps': throttled('bytes'),
  'device-read-iops': throttled('count'),
  'device-write-bps': throttled('bytes'),
  'device-write-iops': throttled('count'),
  dns: (texts) => texts.map((address) => address.trim()),
  'memory-swap': ([text = '']) => (text === '' ? 0 : parseSwap(text)),
  restart: ([text = '']) => parseRestart(text),
  tmpfs: parseTmpfs,
  ulimit: (texts) => texts.map(parseUlimit),
};

/** Parsers by the type shown in `--help`. */
const typeParsers: Readonly<Record<string, (text: string) => unknown>> = {
  int: Number,
  uint16: Number,
  bytes: parseBytes,
  decimal: parseCpus,
  duration: parseDuration,
};

/**
 * All fields like the docker CLI sends them, without those that Go's `omitempty` omits.
 * @param special values that depend on several flags, by field; `undefined` omits the field
 */
export function fillFields(
  fields: FieldTable,
  flags: Flags,
  special: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  const filled = Object.entries(fields).flatMap(([name, field]): [string, unknown][] => {
    const value = name in special ? special[name] : fieldValue(field, flags);
    return value === undefined ? [] : [[name, value]];
  });
  return Object.fromEntries(filled);
}

/** Only the fields whose flags were given. */
export const fillGiven = (fields: FieldTable, flags: Flags): Record<string, unknown> =>
  fillFields(
    Object.fromEntries(
      Object.entries(fields).filter(([, field]) => (field.flags ?? []).some(({ name }) => flags.has(name))),
    ),
    flags,
  );

function fieldValue(field: Field, flags: Flags): unknown {
  const known = (field.flags ?? []).filter(({ name }) => flags.knows(name));
  const given = known.some(({ name }) => flags.has(name));
  if (field.omitEmpty && field.missing === 'none' && !given) return undefined;
  const value = known.length === 0 ? undefined : flagValue(field, known, flags);
  if (!isEmpty(value)) return value;
  if (field.omitEmpty && !given) return undefined;
  return Array.isArray(value) ? emptyValue(field) : (value ?? emptyValue(field));
}

function flagValue({ shape: { kind } }: Field, known: readonly FlagFacts[], flags: Flags): unknown {
  const [{ name, type }] = known as [FlagFacts];
  const texts = known.flatMap((flag) => flags.list(flag.name));
  const parse = parsers[name];
  if (parse) return parse(texts.length > 0 || kind === 'list' || kind === 'map' ? texts : [flags.text(name)]);
  if (kind === 'map') return keyValues(texts);
  if (kind === 'list') return texts.length > 0 ? texts : undefined;
  if (kind === 'flag') return flags.bool(name);
  const text = flags.text(name);
  return text === '' ? undefined : (typeParsers[type]?.(text) ?? text);
}

const isEmpty = (value: unknown): boolean =>
  value === undefined ||
  value === null ||
  value === '' ||
  value === 0 ||
  value === false ||
  (typeof value === 'object' && Object.keys(value).length === 0);

/** Values of fields without a flag, like Go sends them. */
export const zeroValues = (fields: FieldTable): Record<string, unknown> =>
  Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, emptyValue(field)]));

function emptyValue({ shape: { kind }, missing, emptyAsValue }: Field): unknown {
  if (kind === 'text') return '';
  if (kind === 'flag') return false;
  if (kind === 'whole') return 0;
  if (missing === 'none' || !emptyAsValue) return null;
  return kind === 'list' ? [] : {};
}
