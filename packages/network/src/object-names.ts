/**
 * Names of the kernel objects that Netyard creates. `ny-` and the first digits of an id identify their owner without any
 * state. Pure.
 */
import { hash } from 'node:crypto';
import { ownerPrefix, shortId } from '@netyard/core';

export { ownerPrefix, segmentOfLink } from '@netyard/core';

/** An interface alias holds 255 bytes including the terminating NUL (IFALIASZ of if_link.h). */
const longestOwner = 254;

/**
 * The owner text of an interface: `netyard: ` + object, with its name truncated to fit the alias. `rest` keeps truncated
 * names distinct, and is truncated itself only as a last resort.
 */
export function ownerText(name: string, rest = ''): string {
  // A character of a string has at most three bytes: most names are short enough not to be measured.
  if ((ownerPrefix.length + name.length + rest.length) * 3 <= longestOwner)
    return `${ownerPrefix}${name}${rest}`.toWellFormed();
  const end = Buffer.from(rest).subarray(0, longestOwner - 64);
  const start = Buffer.from(`${ownerPrefix}${name}`).subarray(0, longestOwner - end.length);
  return `${trimmed(start)}${trimmed(end)}`;
}

/** Drops the character that truncation left incomplete. */
const trimmed = (bytes: Uint8Array): string =>
  Buffer.from(bytes)
    .toString('utf8')
    .replace(/\ufffd$/, '');

/**
 * Owner text of a network's bridge; identifies the bridge even after another program renamed it. Long names, which it has
 * no room for, remain distinct by a hash.
 */
export function bridgeOwner(networkName: string): string {
  const isLong = Buffer.byteLength(networkName) > longestOwner - ownerPrefix.length - 'network '.length;
  return ownerText(`network ${networkName}`, isLong ? ` (${hash('sha256', networkName).slice(0, 12)})` : '');
}

/** Owner text of a segment's bridge, and of its pair. */
export const segmentOwner = (networkName: string, networkId: string, segment: number): string =>
  ownerText(`segment ${segment} of network ${networkName}`, ` (${shortId(networkId)})`);
export const segmentOwnerPrefix = `${ownerPrefix}segment `;

/** Owner text of a VLAN sub-interface, which several networks may use. */
export const vlanOwner = (base: string, id: number): string => `${vlanOwnerPrefix}${id} of ${base}`;
export const vlanOwnerPrefix = `${ownerPrefix}VLAN `;

export const netnsName = (containerId: string): string => `ny-${shortId(containerId)}`;
export const isNetnsName = (name: string): boolean => /^ny-[0-9a-f]{12}$/.test(name);

/**
 * Host side of an endpoint's veth pair: 15 characters, the longest interface name (IFNAMSIZ). A new one at each start,
 * because the deletion of the old one may still be in progress.
 */
export const hostLinkName = (endpointId: string): string => `${hostLinkPrefix}${shortId(endpointId)}`;
export const hostLinkPrefix = 'ny-';

export const isHostLinkName = (name: string): boolean => /^ny-[0-9a-f]{12}$/.test(name);

/**
 * The interfaces of a segment of a network: its bridge, and a veth pair of which one end (`trunk`) is a port of the
 * network's own bridge, the other (`uplink`) one of the segment's.
 */
export function segmentLinks(networkId: string, segment: number): Record<'bridge' | 'trunk' | 'uplink', string> {
  const id = `${networkId.slice(0, 10)}${segment.toString(36).padStart(2, '0')}`;
  return { bridge: `nyb${id}`, trunk: `nyt${id}`, uplink: `nyu${id}` };
}

/** sysctl(8) writes a dot inside an interface's name as a slash. */
export const sysctlLink = (link: string): string => link.replaceAll('.', '/');
