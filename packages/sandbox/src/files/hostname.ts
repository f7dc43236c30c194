/** The content of a container's /etc/hostname: the bare hostname and a newline, see hostname(5). Pure. */
import { NetyardError } from '@netyard/core';

export const formatHostname = (hostname: string): string => `${hostname}\n`;

/** Throws `invalid` for text that would break the line format of /etc/hostname or /etc/hosts. */
export function checkHostname(hostname: string): void {
  if (/[\s#/\p{Cc}]/u.test(hostname) || hostname.length > 64)
    throw new NetyardError('invalid', `invalid hostname format: ${hostname}`);
}
