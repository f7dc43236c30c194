/**
 * IPv4 addresses that are in use on this host outside of Netyard's networks, which automatic subnets avoid: every route,
 * also those through a gateway, such as of a VPN, the subnets of the host's addresses, and its name servers. Pure.
 */
import { lastOf, networkOf, type Prefix, parseIp, parsePrefix } from '@netyard/core';
import type { ObservedAddress, ObservedRoute } from '@netyard/kernel';
import type { AddressRange, FindBlock } from './free-space.ts';

export interface HostUse {
  routes: readonly Pick<ObservedRoute, 'to' | 'link'>[];
  addresses: readonly Pick<ObservedAddress, 'prefix' | 'link'>[];
  /** Content of the host's resolv.conf. */
  resolvConf: string;
}

/** Shorter routes are parts of the default route: VPNs divide it (0.0.0.0/1 and 128.0.0.0/1) to precede the host's own. */
const shortestRoute = 8;

/** @param isOwn Netyard's own bridges: their subnets are known, and a removed one's may still be listed. */
export function findOccupied(host: HostUse, isOwn: (link: string) => boolean): AddressRange[] {
  const isForeign = ({ link }: { link?: string }): boolean => link === undefined || !isOwn(link);
  const routes = host.routes.filter(isForeign).flatMap(({ to }) => prefixOf(to));
  const addresses = host.addresses.filter(isForeign).flatMap(({ prefix }) => prefixOf(prefix));
  const servers = nameServersOf(host.resolvConf).flatMap(prefixOf);
  const prefixes = [...routes, ...addresses, ...servers].filter(({ length }) => length >= shortestRoute);
  return merge(prefixes.map(rangeOf));
}

const rangeOf = (prefix: Prefix): AddressRange => ({ first: networkOf(prefix).value, last: lastOf(prefix).value });

/** The IPv4 ones of these prefixes, for `blockBy`. */
export const rangesOf = (prefixes: readonly string[]): AddressRange[] => merge(prefixes.flatMap(prefixOf).map(rangeOf));

/** Empty for IPv6 and for text that is no address or prefix, such as `default`. */
function prefixOf(text: string): Prefix[] {
  if (!/^\d+\.\d+\.\d+\.\d+(?:\/\d+)?$/.test(text)) return [];
  try {
    return [text.includes('/') ? parsePrefix(text) : { ...parseIp(text), length: 32 }];
  } catch {
    return [];
  }
}

const nameServersOf = (resolvConf: string): string[] =>
  [...resolvConf.matchAll(/^\s*nameserver\s+(\S+)/gm)].map(([, server = '']) => server);

/** Ascending and disjoint, for binary search. */
function merge(ranges: AddressRange[]): AddressRange[] {
  const merged: AddressRange[] = [];
  for (const range of ranges.toSorted((a, b) => (a.first < b.first ? -1 : 1))) {
    const previous = merged.at(-1);
    if (previous === undefined || range.first > previous.last + 1n) merged.push({ ...range });
    else if (range.last > previous.last) previous.last = range.last;
  }
  return merged;
}

/** @param ranges as returned by `findOccupied` */
export function blockBy(ranges: readonly AddressRange[]): FindBlock {
  return ({ first, last }) => {
    let [low, high] = [0, ranges.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((ranges[middle]?.last ?? 0n) < first) low = middle + 1;
      else high = middle;
    }
    const found = ranges[low];
    return found !== undefined && found.first <= last ? found.last : undefined;
  };
}
