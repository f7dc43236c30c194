/** The parameter `platform` as JSON, `{"os":"linux","architecture":"arm64"}`, as Docker reads it. Pure. */
import { NetyardError } from '@netyard/core';
import type { Platform } from '@netyard/engine';
import { z } from 'zod';

const text = z
  .string()
  .nullish()
  .transform((value) => value ?? '');
const schema = z.object({ os: text, architecture: text, variant: text });

/** Undefined when it is absent or empty. Throws `invalid` with Docker's messages. */
export function readPlatform(query: URLSearchParams, name = 'platform'): Platform | undefined {
  const value = query.get(name);
  return value ? parsePlatformJson(value) : undefined;
}

export function parsePlatformJson(value: string): Platform {
  let parsed: unknown;
  try {
    parsed = JSON.parse(value);
  } catch (cause) {
    throw new NetyardError('invalid', 'failed to parse platform: invalid JSON', { cause });
  }
  const platform = schema.safeParse(parsed);
  if (!platform.success) throw new NetyardError('invalid', 'failed to parse platform: unexpected fields');
  const { os, architecture, variant } = platform.data;
  if (os === '' || architecture === '') {
    throw new NetyardError('invalid', 'both OS and Architecture must be provided');
  }
  return { os, architecture, ...(variant === '' ? {} : { variant }) };
}
