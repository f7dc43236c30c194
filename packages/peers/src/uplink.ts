/** The interface of this host towards a peer, and this host's address on it. Pure: the kernel's dumps are passed in. */
import { formatIp, type Ip, type Prefix, parseIp, parsePrefix, prefixContains } from '@netyard/core';
import type { ObservedRoute } from '@netyard/kernel';
import { addressesOf, type HostAddress, type HostView, mainTable } from './host-view.ts';
import { isTunnelLink } from './tunnel.ts';

/** Interface towards the peer. */
export interface Uplink {
  link: string;
  /** This host's address, by which the peer knows it. */
  local: string;
  /** The peer is on-link, with no router between. */
  shared: boolean;
}

/** The interface that an address is on, and the subnet there; `up`: it can be used at present. */
export interface SharedLink extends Pick<Uplink, 'link' | 'local'> {
  prefix: Prefix;
  up: boolean;
}

/**
 * IPv4: the interface whose subnet contains the address, also if it is down. IPv6 routes, which the kernel deletes while
 * an interface is down, say what is on-link, and not the prefix of an interface's address (RFC 5942).
 */
export const findSharedLink = (ip: Ip, host: HostView): SharedLink | undefined =>
  ip.family === 4 ? findSubnet(ip, host) : findOnLinkRoute(ip, host);

/** The longest prefix of several. */
function findSubnet(ip: Ip, host: HostView): SharedLink | undefined {
  const [found] = addressesOf(host, 4)
    .filter(({ prefix, link }) => link !== 'lo' && prefix.length < 32 && prefixContains(prefix, ip))
    .toSorted((a, b) => b.prefix.length - a.prefix.length);
  if (!found) return undefined;
  const { link, prefix } = found;
  return { link, prefix, local: formatIp(prefix), up: host.links.some(({ name, up }) => name === link && up) };
}

/** A default route without a router is one into a tunnel, whose other end need not forward to the peer's containers. */
function findOnLinkRoute(ip: Ip, host: HostView): SharedLink | undefined {
  const route = findRoute(ip, host);
  if (!route || route.via !== undefined || route.prefix.length === 0) return undefined;
  const local = localOf(route, ip, host);
  return local === undefined ? undefined : { link: route.link, prefix: route.prefix, local, up: true };
}

/** The output interface of the route to an address. */
export function findUplink(ip: Ip, host: HostView): Uplink | undefined {
  const route = findRoute(ip, host);
  const local = route && localOf(route, ip, host);
  return route && local !== undefined ? { link: route.link, local, shared: false } : undefined;
}

type FoundRoute = ObservedRoute & { link: string; prefix: Prefix };

/** Longest prefix of the main table, then lowest metric; over an interface that is up, and that is not Netyard's. */
function findRoute(ip: Ip, host: HostView): FoundRoute | undefined {
  const up = new Set(host.links.filter((link) => link.up).map(({ name }) => name));
  for (const { link } of host.bridges) up.delete(link);
  up.delete('lo');
  const [route] = host.routes
    .flatMap((found) => {
      const { family, table, link, to } = found;
      if (family !== ip.family || table !== mainTable || link === undefined || !up.has(link) || isTunnelLink(link))
        return [];
      return { ...found, link, prefix: to === 'default' ? { family, value: 0n, length: 0 } : parsePrefix(to) };
    })
    .filter(({ prefix }) => prefixContains(prefix, ip))
    .toSorted((a, b) => b.prefix.length - a.prefix.length || (a.metric ?? 0) - (b.metric ?? 0));
  return route;
}

const localOf = (route: FoundRoute, ip: Ip, host: HostView): string | undefined =>
  route.source ?? (ip.family === 4 ? ipv4Local(route, host) : ipv6Local(route, ip, host));

/** Source address for packets of a route: the interface's address in the router's subnet, otherwise its first one. */
function ipv4Local({ link, via }: FoundRoute, host: HostView): string | undefined {
  const own = addressesOf(host, 4).filter((address) => address.link === link);
  const router = via === undefined || via.includes(':') ? undefined : parseIp(via);
  const inSubnet = router && own.find(({ prefix }) => prefixContains(prefix, router));
  const found = inSubnet ?? own[0];
  return found && formatIp(found.prefix);
}

/**
 * As RFC 6724 selects a source address, but never a temporary one, which the peer could not be configured with: the
 * interface's address that has the longest prefix in common with the peer. An interface without a global address uses one
 * of another interface (`lo`, on routers), but not of the containers' bridges.
 */
function ipv6Local({ link }: FoundRoute, ip: Ip, host: HostView): string | undefined {
  const bridges = new Set(host.bridges.map((bridge) => bridge.link));
  const usable = addressesOf(host, 6).filter(
    (address) => address.isGlobal && !bridges.has(address.link) && !isTunnelLink(address.link),
  );
  const isWorse = (address: HostAddress): number => (address.link === link ? 0 : 2) + (address.isTransient ? 1 : 0);
  const [found] = usable.toSorted(
    (a, b) => isWorse(a) - isWorse(b) || commonBits(b.prefix, ip) - commonBits(a.prefix, ip),
  );
  return found && formatIp(found.prefix);
}

/** Number of leading bits that two IPv6 addresses have in common. */
const commonBits = (a: Ip, b: Ip): number => 128 - (a.value === b.value ? 0 : (a.value ^ b.value).toString(2).length);
