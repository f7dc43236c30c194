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

export function showFields<T extends FieldTable, Source>(
  fields: T,
  codecs: Codecs<T, unknown, Source>,
  source: Source,
): Answer<T> {
  const values = Object.fromEntries(namesOf(codecs).map((name) => [name, codecs[name].show(source)]));
  return answerOf(fields, values) as Answer<T>;
}

/** Converts values from the schemas' form to the form that Docker prints. */
function answerOf(fields: FieldTable, values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const shown = Object.entries(fields).flatMap(([name, field]) => {
    const value = values[name];
    return field.omitEmpty && isZero(value) ? [] : [[name, fieldAnswer(field, value)]];
  });
  return Object.fromEntries(shown);
}

function fieldAnswer(field: Field, value: unknown): unknown {
  const isCollection = ['list', 'map', 'keys'].includes(field.shape.kind);
  if (isCollection && isZero(value) && !field.emptyAsValue)
    return Array.isArray(value) && field.missing === 'none' ? [] : null;
  return value === undefined || value === null ? null : shapeAnswer(field.shape, value);
}

function shapeAnswer({ kind, item, fields }: Shape, value: unknown): unknown {
  if (kind === 'keys' && Array.isArray(value)) return Object.fromEntries(value.map((key) => [key, {}]));
  if (kind === 'list' && item && Array.isArray(value)) return value.map((element) => shapeAnswer(item, element));
  if (kind === 'map' && item) return mapValues(value, (element) => shapeAnswer(item, element));
  return kind === 'object' && fields ? answerOf(fields, value as Record<string, unknown>) : value;
}

const mapValues = (value: unknown, change: (element: unknown) => unknown): Record<string, unknown> =>
  Object.fromEntries(Object.entries(value as object).map(([key, element]) => [key, change(element)]));
