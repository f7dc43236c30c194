/** Schemas of JSON objects that Go programs write and Docker reads: names of fields match in any letter case. */
import { nameMatcher } from '@netyard/core';
import { z } from 'zod';

export const goObject = <T extends z.ZodRawShape>(shape: T) =>
  z.preprocess(nameMatcher(Object.keys(shape)), z.object(shape));
