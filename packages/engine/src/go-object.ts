/** Schemas of JSON objects that Go programs write and Docker reads: names of fields match in any letter case. */
import { nameMatcher } from '@netyard/core';
import { z } from 'zod';

export const goObject = <T extends z.ZodRawShape>(shape: T) =>
  z.preprocess(nameMatcher(Object.keys(shape)), z.object(shape));

/** Empty when it is absent or null, as in Go. */
export const goText = z
  .string()
  .nullish()
  .transform((value) => value ?? '');

/** Empty when it is absent or null. A null element is an empty text. */
export const goTexts = z
  .array(goText)
  .nullish()
  .transform((list) => list ?? []);

/** 0 when it is absent or null. */
export const goNumber = z
  .number()
  .nullish()
  .transform((value) => value ?? 0);
