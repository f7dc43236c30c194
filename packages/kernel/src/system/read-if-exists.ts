import { NetyardError } from '@netyard/core';
import { readStartIfExists } from './read-start.ts';

/** Longer than any hosts file with the domains of advertisements. */
const mebibytes = 64;

/** The text of a file that may be missing. Throws `failed` for what is no regular file, or too long to be one of settings. */
export function readIfExists(path: string): string | undefined {
  const found = readStartIfExists(path, mebibytes * 1024 * 1024);
  if (found?.isComplete === false) throw new NetyardError('failed', `${path} is larger than ${mebibytes} MiB`);
  return found?.data.toString('utf8');
}
