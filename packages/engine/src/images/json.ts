/** Validates untrusted JSON with zod: a mismatch becomes one `invalid` error that says where. Pure. */
import { NetyardError } from '@netyard/core';
import type { z } from 'zod';

/** Docker's own limit for manifests, in bytes; configurations are far smaller too. */
export const longestJson = 4 * 1024 * 1024;

export function parseJson<T>(schema: z.ZodType<T>, bytes: Uint8Array, what: string): T {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw new NetyardError('invalid', `${what} is not valid JSON`, { cause: error });
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const where = issue && issue.path.length > 0 ? ` at ${issue.path.join('.')}` : '';
  throw new NetyardError('invalid', `${what} is malformed${where}: ${issue?.message ?? 'unknown reason'}`);
}
