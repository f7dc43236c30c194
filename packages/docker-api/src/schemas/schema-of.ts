/** Builds schemas of request bodies from the field tables of api-types. Unknown fields are ignored. */
import type { FieldTable, Output, Shape } from '@netyard/api-types';
import { nameMatcher } from '@netyard/core';
import { z } from 'zod';

/** The schema of a body with these fields; missing ones get zero values. Built when the first body is parsed. */
export const schemaOf = <T extends FieldTable>(fields: T): z.ZodType<Output<T>> =>
  z.lazy(() => objectOf(fields)) as unknown as z.ZodType<Output<T>>;

const objectOf = (fields: FieldTable): z.ZodType =>
  z.preprocess(
    nameMatcher(Object.keys(fields)),
    z.object(
      Object.fromEntries(
        Object.entries(fields).map(([name, field]) => {
          const value = valueSchema(field.shape).nullish();
          if (field.missing === 'none') return [name, value];
          const zero = zeroOf(field.shape);
          return [name, value.transform((given) => given ?? zero())];
        }),
      ),
    ),
  );

function valueSchema(shape: Shape): z.ZodType {
  switch (shape.kind) {
    case 'text':
      return z.string();
    case 'flag':
      return z.boolean();
    case 'whole':
      return z.int();
    case 'any':
      return z.unknown();
    case 'words':
      return z.union([z.array(z.string()), z.string().transform((word) => [word])]);
    case 'size':
      return z.tuple([z.int().nonnegative(), z.int().nonnegative()]);
    case 'keys':
      return z.record(z.string(), z.unknown()).transform((value) => Object.keys(value));
    case 'list':
      return z.array(itemOf(shape));
    case 'map':
      return z.record(z.string(), itemOf(shape));
    case 'object':
      return objectOf(shape.fields ?? {});
  }
}

/** The schema of an element: a text, list or map that is null becomes an empty one, as in Go. */
function itemOf({ item }: Shape): z.ZodType {
  if (!item) throw new Error('a list or a map without a shape for its elements');
  const value = valueSchema(item);
  if (item.nullable) return value.nullish();
  if (!['text', 'list', 'map'].includes(item.kind)) return value;
  const zero = zeroOf(item);
  return value.nullish().transform((given) => given ?? zero());
}

const zeros = { text: '', flag: false, whole: 0 } as const;

/** A new value each time, so that two bodies share no objects. */
function zeroOf(shape: Shape): () => unknown {
  const { kind } = shape;
  if (kind === 'text' || kind === 'flag' || kind === 'whole') return () => zeros[kind];
  if (kind === 'map') return () => ({});
  if (kind !== 'object') return () => [];
  const schema = z.lazy(() => objectOf(shape.fields ?? {})); // rarely used, and as large as the object's own schema
  return () => schema.parse({});
}
