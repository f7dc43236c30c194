/** The content of a container's /etc/hostname: the bare hostname and a newline, as hostname(5) wants it. Pure. */
import { NetyardError } from '@netyard/core';

export const formatHostname = (hostname: string): string => `${hostname}\n`;

/** Throws `invalid` for text that would break out of its line in /etc/hostname or /etc/hosts. */
export function checkHostname(hostname: string): void {
  if (/[\s#/\p{Cc}]/u.test(hostname) || hostname.length > 64)
    throw new NetyardError('invalid', `invalid hostname format: ${hostname}`);
}
