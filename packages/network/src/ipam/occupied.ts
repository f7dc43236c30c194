/**
 * Addresses that are in use on this host outside of Netyard's networks, which automatic subnets avoid: every route,
 * also those through a gateway, such as of a VPN, the subnets of the host's addresses, and its name servers. Pure.
 */
import { lastOf, networkOf, type Prefix, parseIp, parsePrefix } from '@netyard/core';
import type { ObservedAddress, ObservedRoute } from '@netyard/kernel';
import type { Family } from '../family.ts';
import type { AddressRange, FindBlock } from './free-space.ts';

export interface HostUse {
  routes: readonly Pick<ObservedRoute, 'to' | 'link'>[];
  addresses: readonly Pick<ObservedAddress, 'prefix' | 'link'>[];
  /** Content of the host's resolv.conf. */
  resolvConf: string;
}

/**
 * Shorter routes are parts of the default route: VPNs divide it (0.0.0.0/1 and 128.0.0.0/1) to precede the host's own. In
 * IPv6 they are also whole kinds of addresses, such as fd00::/8.
 */
const shortestRoute = { 4: 8, 6: 16 } as const;

/** Ascending and disjoint. */
export type Occupied = Readonly<Record<Family, readonly AddressRange[]>>;

/** @param isOwn Netyard's own bridges: their subnets are known, and a removed one's may still be listed. */
export function findOccupied(host: HostUse, isOwn: (link: string) => boolean): Occupied {
  const isForeign = ({ link }: { link?: string }): boolean => link === undefined || !isOwn(link);
  const routes = host.routes.filter(isForeign).flatMap(({ to }) => prefixOf(to));
  const addresses = host.addresses.filter(isForeign).flatMap(({ prefix }) => prefixOf(prefix));
  const servers = nameServersOf(host.resolvConf).flatMap(prefixOf);
  const prefixes = [...routes, ...addresses, ...servers].filter(
    ({ family, length }) => length >= shortestRoute[family],
  );
  return toOccupied(prefixes);
}

const rangeOf = (prefix: Prefix): AddressRange => ({ first: networkOf(prefix).value, last: lastOf(prefix).value });

/** The ranges of these prefixes, for `blockBy`. */
export const rangesOf = (prefixes: readonly string[]): Occupied => toOccupied(prefixes.flatMap(prefixOf));

function toOccupied(prefixes: readonly Prefix[]): Occupied {
  const of = (number: 4 | 6): AddressRange[] => merge(prefixes.filter(({ family }) => family === number).map(rangeOf));
  return { v4: of(4), v6: of(6) };
}

/** Empty for text that is no address or prefix, such as `default`, and for IPv6's link-local addresses. */
function prefixOf(text: string): Prefix[] {
  if (!/^[\da-f:.]+(?:\/\d+)?$/i.test(text) || /^fe[89ab]/i.test(text)) return [];
  try {
    if (text.includes('/')) return [parsePrefix(text)];
    const ip = parseIp(text);
    return [{ ...ip, length: ip.family === 4 ? 32 : 128 }];
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

/** @param ranges of one family, as returned by `findOccupied` */
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
