/**
 * Pieces of body schemas. As with Go's decoder, which clients are written against, a missing field and `null` both
 * mean the zero value, and unknown fields are passed over.
 */
import { z } from 'zod';

const orZero = <T extends z.ZodType>(schema: T, zero: z.output<T>) =>
  schema.nullish().transform((value) => (value ?? zero) as z.output<T>);

export const text = orZero(z.string(), '');
export const flag = orZero(z.boolean(), false);
export const whole = orZero(z.int(), 0);
export const strings = orZero(z.array(z.string()), []);
export const textMap = orZero(z.record(z.string(), z.string()), {});
/** Go's `map[string]struct{}`: a set. */
export const keySet = z
  .record(z.string(), z.unknown())
  .nullish()
  .transform((value) => Object.keys(value ?? {}));

/** Command lines may be one string or several (strslice). null and absent differ from empty for the entrypoint. */
export const wordsOrText = z.union([z.array(z.string()), z.string().transform((word) => [word])]).nullish();

export const consoleSize = z.tuple([z.int().nonnegative(), z.int().nonnegative()]).nullish();
