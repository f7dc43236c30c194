/** Translates a body's fields to the engine's values and back, with one table for both directions. Pure. */
import type { Answer, Field, FieldTable, Output, Shape } from '@netyard/api-types';
import { isZero } from '../schemas/is-zero.ts';

/** Translation of one field: `read` for requests, `show` for inspect. Both use values as the schemas return them. */
export interface Codec<Value, Target, Source> {
  read(value: Value): Partial<Target>;
  show(source: Source): Value;
}

export type Codecs<T extends FieldTable, Target, Source> = {
  readonly [K in keyof T]: Codec<Output<T>[K], Target, Source>;
};

const namesOf = <T extends FieldTable>(codecs: Codecs<T, unknown, never>): (keyof T & string)[] => Object.keys(codecs);

export function readFields<T extends FieldTable, Target>(
  codecs: Codecs<T, Target, never>,
  body: Output<T>,
): Partial<Target> {
  return Object.assign({}, ...namesOf(codecs).map((name) => codecs[name].read(body[name])));
}

/**
 * Makes the function that shows these fields. What depends only on the tables is computed here, as an inspect shows more
 * than a hundred fields.
 */
export function showerOf<T extends FieldTable, Source>(
  fields: T,
  codecs: Codecs<T, unknown, Source>,
): (source: Source) => Answer<T> {
  const parts = partsOf(fields).map((part) => ({ part, codec: codecs[part.name as keyof T & string] }));
  return (source) => {
    const shown: Record<string, unknown> = {};
    for (const { part, codec } of parts) addField(shown, part, codec.show(source));
    return shown as Answer<T>;
  };
}

type Convert = (value: unknown) => unknown;

interface Part {
  name: string;
  field: Field;
  isCollection: boolean;
  /** Converts a value from the schemas' form to the form that Docker prints; undefined if they are the same. */
  convert: Convert | undefined;
}

const partsOf = (fields: FieldTable): Part[] =>
  Object.entries(fields).map(([name, field]) => {
    const { shape } = field;
    return { name, field, isCollection: ['list', 'map', 'keys'].includes(shape.kind), convert: converterOf(shape) };
  });

function addField(shown: Record<string, unknown>, { name, field, isCollection, convert }: Part, value: unknown): void {
  // Go omits a pointer only if it is nil: a stop timeout of 0 is shown.
  const isUnset = field.missing === 'none' && !isCollection ? value === undefined || value === null : isZero(value);
  const isShort = (isCollection || field.omitEmpty === true) && isUnset;
  if (isShort && field.omitEmpty) return;
  if (isShort && !field.emptyAsValue) shown[name] = Array.isArray(value) && field.missing === 'none' ? [] : null;
  else if (value === undefined || value === null) shown[name] = null;
  else shown[name] = convert ? convert(value) : value;
}

function converterOf({ kind, item, fields }: Shape): Convert | undefined {
  if (kind === 'keys') return ifArray((keys) => Object.fromEntries(keys.map((key) => [key, {}])));
  if (kind === 'object' && fields) return objectConverter(fields);
  const convert = item && converterOf(item);
  if (convert === undefined) return undefined;
  if (kind === 'list') return ifArray((elements) => elements.map((element) => convert(element)));
  return kind === 'map' ? (value) => mapValues(value, convert) : undefined;
}

const ifArray =
  (convert: (elements: unknown[]) => unknown): Convert =>
  (value) =>
    Array.isArray(value) ? convert(value) : value;

function objectConverter(fields: FieldTable): Convert {
  const parts = partsOf(fields);
  return (value) => {
    const shown: Record<string, unknown> = {};
    for (const part of parts) addField(shown, part, (value as Readonly<Record<string, unknown>>)[part.name]);
    return shown;
  };
}

const mapValues = (value: unknown, change: (element: unknown) => unknown): Record<string, unknown> =>
  Object.fromEntries(Object.entries(value as object).map(([key, element]) => [key, change(element)]));
