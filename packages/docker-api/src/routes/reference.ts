/** Reads the reference in a path: a name, an id or a prefix of an id. */
import { NetyardError } from '@netyard/core';
import type { RequestContext } from '../http/request-context.ts';

export function reference({ params }: RequestContext, name: string): string {
  const value = params[name];
  if (value === undefined || value === '') throw new NetyardError('invalid', `missing ${name} in path`);
  return value;
}
