/** Handlers of addresses, routes and neighbours: plan objects that depend on a link. */
import { formatIp, formatPrefix, networkOf, parseIp, parseMac, parsePrefix } from '@netyard/core';
import type { AddressObject, NeighbourObject, RouteObject } from '../../desired.ts';
import * as addresses from '../../netlink/rtnl/address.ts';
import * as links from '../../netlink/rtnl/link.ts';
import * as neighbours from '../../netlink/rtnl/neighbour.ts';
import * as routes from '../../netlink/rtnl/route.ts';
import type { Session } from '../../netlink/session.ts';
import { hasErrno } from '../../system/ffi/errno.ts';
import { routeFamily } from '../../system/identity.ts';
import { absent, isGone, type ObjectHandler, observed, unlessGone } from './handler.ts';

export const indexOf = (session: Session, name: string, ns: string | undefined): number =>
  links.linkIndex(session.route(ns), name);

/** Undefined when a dependency of the object does not exist. */
export function unlessDependencyMissing<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

// Addresses

/** The same prefix in canonical text. */
function canonicalPrefix(text: string): string {
  const prefix = parsePrefix(text);
  return `${formatIp(prefix)}/${prefix.length}`;
}

function addressOf(session: Session, object: AddressObject): addresses.LinkAddress {
  const { prefix, broadcast } = object;
  const linkIndex = indexOf(session, object.link, object.ns);
  return { linkIndex, prefix, ...(broadcast === undefined ? {} : { broadcast }) };
}

function findAddress(session: Session, object: AddressObject): addresses.DecodedAddress | undefined {
  const prefix = canonicalPrefix(object.prefix);
  return unlessDependencyMissing(() => {
    const socket = session.route(object.ns);
    return addresses
      .listAddresses(socket, indexOf(session, object.link, object.ns))
      .find((address) => address.prefix === prefix);
  });
}

/**
 * The kernel adds a route to the subnet (`proto kernel scope link`) with an address on a link that is up. Another
 * program can delete that route alone. Undefined when the route exists, cannot be expected, or is hidden by a policy or
 * a more specific route.
 */
function missingSubnetRoute(session: Session, object: AddressObject): routes.Route | undefined {
  const prefix = parsePrefix(object.prefix);
  if (prefix.length > (prefix.family === 4 ? 30 : 126)) return undefined;
  const socket = session.route(object.ns);
  const link = links.findLink(socket, object.link);
  if (!link?.up) return undefined;
  const subnet = networkOf(prefix);
  const own = prefix.value === subnet.value + 1n ? 2n : 1n;
  const match = matchOf(
    socket,
    `${formatIp({ ...subnet, value: subnet.value + own })}/${prefix.family === 4 ? 32 : 128}`,
  );
  if (match === 'unknown') return undefined;
  const text = formatPrefix(subnet);
  if (match !== 'none' && (match.table !== routes.mainTable || lengthOf(match.to) >= prefix.length)) return undefined;
  const route = { to: text, linkIndex: link.index, protocol: RTPROT_KERNEL } as const;
  // IPv6: the metric of the kernel's own routes (IP6_RT_PRIO_ADDRCONF); a route's source address is no part of them.
  return prefix.family === 6 ? { ...route, metric: 256 } : { ...route, source: formatIp(prefix), scope: 'link' };
}

/** linux/rtnetlink.h: route added by the kernel. */
const RTPROT_KERNEL = 2;

export const addressHandler: ObjectHandler<AddressObject> = {
  check(object) {
    links.checkLinkName(object.link);
    parsePrefix(object.prefix);
    if (object.broadcast !== undefined) parseIp(object.broadcast);
  },
  observe(session, object) {
    const found = findAddress(session, object);
    if (!found) return absent;
    return observed([
      object.broadcast !== undefined &&
        found.broadcast !== object.broadcast &&
        `broadcast ${found.broadcast ?? 'none'}`,
      missingSubnetRoute(session, object) !== undefined && 'without the route to its subnet',
    ]);
  },
  create(session, object) {
    const address = addressOf(session, object);
    try {
      addresses.addAddress(session.route(object.ns), address);
    } catch (error) {
      if (!hasErrno(error, 'EEXIST')) throw error;
      return addressHandler.change(session, object); // the link was renamed after the observation
    }
    return () => void unlessGone(() => addresses.deleteAddress(session.route(object.ns), address));
  },
  change(session, object) {
    const socket = session.route(object.ns);
    const address = addressOf(session, object);
    const former = findAddress(session, object);
    const route = missingSubnetRoute(session, object);
    if (route && (object.broadcast === undefined || former?.broadcast === object.broadcast)) {
      routes.addRoute(socket, route);
      return () => void unlessGone(() => routes.deleteRoute(socket, route));
    }
    addresses.deleteAddress(socket, address);
    addresses.addAddress(socket, address);
    return () => {
      unlessGone(() => addresses.deleteAddress(socket, address));
      if (former) addresses.addAddress(socket, former);
    };
  },
  delete: (session, object) =>
    unlessGone(() => addresses.deleteAddress(session.route(object.ns), addressOf(session, object))),
};

// Routes

function routeOf(session: Session, object: RouteObject): routes.Route {
  const { link, ns, kind: _kind, ...route } = object;
  return link === undefined ? route : { ...route, linkIndex: indexOf(session, link, ns) };
}

/**
 * The route with the same destination, table and metric; when other programs added several, the one with our gateway.
 */
function findRoute(session: Session, object: RouteObject): routes.DecodedRoute | undefined {
  const family = routeFamily(object);
  const to = object.to === 'default' ? object.to : canonicalPrefix(object.to);
  return unlessDependencyMissing(() => {
    const socket = session.route(object.ns);
    const table = object.table ?? routes.mainTable;
    const isDesired = (route: routes.DecodedRoute): boolean =>
      route.table === table &&
      (route.to === 'default' ? to === 'default' || /\/0$/.test(to) : route.to === to) &&
      (object.metric === undefined || route.metric === object.metric);
    if (table === routes.mainTable) {
      const match = matchOf(socket, to);
      if (match === 'none') return undefined;
      if (match !== 'unknown' && isDesired(match)) return match;
      if (match !== 'unknown' && match.table === table && lengthOf(match.to) < lengthOf(to)) return undefined;
    }
    const candidates = routes.listRoutes(socket, family, table).filter(isDesired);
    return candidates.find(({ via }) => via === canonicalAddress(object.via)) ?? candidates[0];
  });
}

const canonicalAddress = (text: string | undefined): string | undefined =>
  text === undefined ? undefined : formatIp(parseIp(text));

const lengthOf = (to: string): number => (to === 'default' ? 0 : parsePrefix(to).length);

/**
 * The route to a prefix's first address. When that is the desired route, or a less specific one of the same table, no
 * dump of all routes is needed; a more specific route, or a rule for another table, leaves the result unknown.
 */
function matchOf(socket: ReturnType<Session['route']>, to: string): routes.DecodedRoute | 'none' | 'unknown' {
  if (lengthOf(to) === 0) return 'unknown';
  try {
    return routes.matchRoute(socket, formatIp(parsePrefix(to))) ?? 'none';
  } catch (error) {
    if (hasErrno(error, 'EINVAL', 'EACCES', 'ENODEV', 'EOPNOTSUPP')) return 'unknown'; // blackhole, prohibit and similar route types
    throw error;
  }
}

export const routeHandler: ObjectHandler<RouteObject> = {
  check(object) {
    if (object.link !== undefined) links.checkLinkName(object.link);
    const { link: _link, ns: _ns, kind: _kind, ...route } = object;
    routes.encodeRoute(route);
  },
  observe(session, object) {
    const found = findRoute(session, object);
    if (!found) return absent;
    const linkIndex =
      object.link === undefined
        ? undefined
        : unlessDependencyMissing(() => indexOf(session, object.link ?? '', object.ns));
    return observed([
      object.via !== undefined && found.via !== formatIp(parseIp(object.via)) && `via ${found.via ?? 'nothing'}`,
      object.via === undefined && found.via !== undefined && `via ${found.via}`,
      object.link !== undefined && found.linkIndex !== linkIndex && 'on another link',
      object.source !== undefined && found.source !== object.source && `src ${found.source ?? 'none'}`,
      object.protocol !== undefined && found.protocol !== object.protocol && `proto ${found.protocol}`,
    ]);
  },
  create(session, object, isLast) {
    const route = routeOf(session, object);
    if (isLast) {
      routes.replaceRoute(session.route(object.ns), route);
      return () => undefined;
    }
    // It exists when it is dead (no packet would take it), or was not observed because its link did not exist.
    if (!routes.addRouteUnlessExists(session.route(object.ns), route)) return routeHandler.change(session, object);
    return () => void unlessGone(() => routes.deleteRoute(session.route(object.ns), route));
  },
  change(session, object) {
    const socket = session.route(object.ns);
    const former = findRoute(session, object);
    routes.replaceRoute(socket, routeOf(session, object));
    return () => {
      if (former) routes.replaceRoute(socket, { ...former, scope: former.scope === 0 ? 'global' : 'link' });
    };
  },
  delete: (session, object) => unlessGone(() => routes.deleteRoute(session.route(object.ns), routeOf(session, object))),
};

// Neighbours

const neighbourOf = (session: Session, { link, ns, address, mac }: NeighbourObject): neighbours.Neighbour => ({
  linkIndex: indexOf(session, link, ns),
  address,
  mac,
});

const findNeighbour = (session: Session, object: NeighbourObject): { mac?: string; permanent: boolean } | undefined =>
  unlessDependencyMissing(() => neighbours.findNeighbour(session.route(object.ns), neighbourOf(session, object)));

function replaceNeighbour(session: Session, object: NeighbourObject) {
  const socket = session.route(object.ns);
  const neighbour = neighbourOf(session, object);
  const former = findNeighbour(session, object);
  neighbours.replaceNeighbour(socket, neighbour);
  return () => {
    if (former?.permanent && former.mac !== undefined)
      neighbours.replaceNeighbour(socket, { ...neighbour, mac: former.mac });
    else unlessGone(() => neighbours.deleteNeighbour(socket, neighbour));
  };
}

export const neighbourHandler: ObjectHandler<NeighbourObject> = {
  check(object) {
    links.checkLinkName(object.link);
    parseIp(object.address);
    parseMac(object.mac);
  },
  observe(session, object) {
    const found = findNeighbour(session, object);
    if (!found?.permanent) return absent; // learned entries come and go, and ours replaces them
    return observed([found.mac !== object.mac.toLowerCase().replaceAll('-', ':') && `lladdr ${found.mac ?? 'none'}`]);
  },
  create: replaceNeighbour,
  change: replaceNeighbour,
  delete: (session, object) =>
    unlessGone(() => neighbours.deleteNeighbour(session.route(object.ns), neighbourOf(session, object))),
};
