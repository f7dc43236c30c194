/** Which container names are published to other hosts. Pure. */
import { NetyardError } from '@netyard/core';
import type { SandboxConfig } from '../contract.ts';

/** One label of a DNS name (RFC 1035, 2.3.4: 63 bytes), and underscores, which Docker's names may contain. */
const label = /^[a-z0-9][a-z0-9_-]{0,62}$/i;

export const isPublishable = (name: string): boolean => label.test(name) && name.toLowerCase() !== 'localhost';

/** Throws `invalid`: with a dot, `NAME` could not be distinguished from another host's `NAME.HOST`. */
export function checkPublishable(name: string): void {
  if (isPublishable(name)) return;
  throw new NetyardError('invalid', `the name ${name} cannot be published to other hosts`, {
    hint: 'choose with --name a name of letters, digits, - and _, without a dot, of 63 characters at most',
  });
}

/** Whether the config or the default requests it. By default only publishable names are published. */
export function asksToPublish(config: Pick<SandboxConfig, 'name' | 'publishName'>, byDefault: boolean): boolean {
  return (config.publishName ?? byDefault) && isPublishable(config.name);
}
