/**
 * The names of what we make in the kernel. They tell the maker without any state: `ny-` and the first digits of an id.
 * Pure.
 */
import { shortId } from '@netyard/core';

/** In every owner text (IFLA_IFALIAS) of ours. */
export const ownerPrefix = 'netyard: ';

/** A link's alias holds 255 bytes with the NUL that ends it (IFALIASZ of if_link.h). */
const longestOwner = 254;

/**
 * The owner text of a link: `netyard: ` + what, its name cut to what an alias holds. `rest` tells it apart when the
 * name is cut, and is itself cut only as a last resort.
 */
export function ownerText(name: string, rest = ''): string {
  const end = Buffer.from(rest).subarray(0, longestOwner - 64);
  const start = Buffer.from(`${ownerPrefix}${name}`).subarray(0, longestOwner - end.length);
  return `${trimmed(start)}${trimmed(end)}`;
}

/** Without the character that a cut left incomplete. */
const trimmed = (bytes: Uint8Array): string =>
  Buffer.from(bytes)
    .toString('utf8')
    .replace(/\ufffd$/, '');

/** Of the bridge of a network; by it a bridge is found that somebody renamed. */
export const bridgeOwner = (networkName: string): string => ownerText(`network ${networkName}`);

export const netnsName = (containerId: string): string => `ny-${shortId(containerId)}`;
export const isNetnsName = (name: string): boolean => /^ny-[0-9a-f]{12}$/.test(name);

/**
 * Host side of an endpoint's link: 15 characters, the longest name a link can have (IFNAMSIZ). A new one at each
 * start, because the old one may still be on its way out.
 */
export const hostLinkName = (endpointId: string): string => `${hostLinkPrefix}${shortId(endpointId)}`;
export const hostLinkPrefix = 'ny-';

export const isHostLinkName = (name: string): boolean => /^ny-[0-9a-f]{12}$/.test(name);

/** sysctl(8) writes a dot inside an interface's name as a slash. */
export const sysctlLink = (link: string): string => link.replaceAll('.', '/');
