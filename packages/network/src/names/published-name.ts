/** Which names other hosts may resolve, and what a container asks for. Pure. */
import { NetyardError } from '@netyard/core';
import type { SandboxConfig } from '../contract.ts';

/** One label of a DNS name (RFC 1035, 2.3.4: 63 bytes); underscores as Docker's names have them. */
const label = /^[a-z0-9][a-z0-9_-]{0,62}$/i;

export const isPublishable = (name: string): boolean => label.test(name) && name.toLowerCase() !== 'localhost';

/** Throws `invalid`: a dot would make `NAME` look like another host's `NAME.HOST`. */
export function checkPublishable(name: string): void {
  if (isPublishable(name)) return;
  throw new NetyardError('invalid', `the name ${name} cannot be published to other hosts`, {
    hint: 'a published name has letters, digits, - and _, no dot, and 63 characters at most: give another with --name',
  });
}

/** Whether it asks for it, or the default does. Only names that can be are published by default. */
export function asksToPublish(config: Pick<SandboxConfig, 'name' | 'publishName'>, byDefault: boolean): boolean {
  return (config.publishName ?? byDefault) && isPublishable(config.name);
}
