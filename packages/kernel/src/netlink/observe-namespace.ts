/**
 * What one network namespace has: links, addresses, routes, rules, neighbours and settings, over one rtnetlink socket, and
 * its listening sockets. Changes nothing. The namespace is entered only to open sockets and files.
 */
import type {
  ObservedListener,
  ObservedNamespace,
  ObservedNamespaceLink,
  ObservedNamespaceRoute,
} from '../observed-namespace.ts';
import { closeFile } from '../system/calls.ts';
import { openInNetns, openNamespace } from '../system/netns.ts';
import { readIfExists } from '../system/read-if-exists.ts';
import { listAddresses } from './rtnl/address.ts';
import { type Link, listLinks } from './rtnl/link.ts';
import { queryNsId } from './rtnl/namespace-id.ts';
import { listNeighbourStates } from './rtnl/neighbour-state.ts';
import { allLinks, listNetconf, type Netconf } from './rtnl/netconf.ts';
import { listRouteHops, routeType } from './rtnl/route-hops.ts';
import { listRules } from './rtnl/rule.ts';
import { listListeners } from './sock-diag.ts';
import { NETLINK_ROUTE, NETLINK_SOCK_DIAG, NetlinkSocket } from './socket.ts';

const families = [4, 6] as const;

/** `ns` is a path such as `/run/netns/r1`; default: the process's own namespace. Throws KernelError. */
export function observeNamespace(ns?: string): ObservedNamespace {
  const settings = readSettings(ns);
  return withSocket(NETLINK_ROUTE, ns, (socket) => {
    const links = listLinks(socket);
    const nameOf = linkNamer(links);
    const netconf = listNetconf(socket, 4);
    const forwards = (entries: readonly Netconf[]): boolean => settingOf(entries, allLinks)?.forwarding ?? false;
    return {
      links: withAddresses(links, socket, netconf),
      routes: families.flatMap((family) => observeRoutes(socket, family, nameOf)),
      rules: families.flatMap((family) => listRules(socket, family)),
      neighbours: listNeighbourStates(socket).map(({ linkIndex, ...entry }) => ({ link: nameOf(linkIndex), ...entry })),
      forwarding: { v4: forwards(netconf), v6: forwards(listNetconf(socket, 6)) },
      ...settings,
    };
  });
}

/** Throws KernelError, ENOENT when the kernel lacks the modules for it (tcp_diag, udp_diag). */
export function listListeningSockets(ns?: string): ObservedListener[] {
  const sockets = withSocket(NETLINK_SOCK_DIAG, ns, listListeners);
  if (sockets.every(({ linkIndex }) => linkIndex === undefined)) return sockets;
  const nameOf = linkNamer(withSocket(NETLINK_ROUTE, ns, listLinks));
  return sockets.map(({ linkIndex, ...socket }) =>
    linkIndex === undefined ? socket : { ...socket, link: nameOf(linkIndex) },
  );
}

/**
 * Which namespaces the ids are by which a namespace names others (`ObservedLink.peerNsId`). Candidates are tried in order
 * until all ids are found; those that cannot be opened are skipped. Returns paths by id.
 */
export function resolveNamespaceIds(
  ns: string | undefined,
  ids: ReadonlySet<number>,
  candidates: Iterable<string>,
): Map<number, string> {
  return withSocket(NETLINK_ROUTE, ns, (socket) => {
    const found = new Map<number, string>();
    for (const path of candidates) {
      if (found.size === ids.size) break;
      const id = queryIdOf(socket, path);
      if (id !== undefined && ids.has(id) && !found.has(id)) found.set(id, path);
    }
    return found;
  });
}

function queryIdOf(socket: NetlinkSocket, path: string): number | undefined {
  let fd: number;
  try {
    fd = openNamespace(path);
  } catch {
    return undefined; // the namespace ended meanwhile
  }
  try {
    return queryNsId(socket, fd);
  } finally {
    closeFile(fd);
  }
}

function withSocket<T>(protocol: number, ns: string | undefined, work: (socket: NetlinkSocket) => T): T {
  const socket = NetlinkSocket.open(protocol, { ns });
  try {
    return work(socket);
  } finally {
    socket.close();
  }
}

function linkNamer(links: readonly Link[]): (index: number) => string {
  const names = new Map(links.map(({ index, name }) => [index, name]));
  return (index) => names.get(index) ?? `if${index}`;
}

const settingOf = (entries: readonly Netconf[], linkIndex: number): Netconf | undefined =>
  entries.find((entry) => entry.linkIndex === linkIndex);

function withAddresses(
  links: readonly Link[],
  socket: NetlinkSocket,
  netconf: readonly Netconf[],
): ObservedNamespaceLink[] {
  const addresses = Map.groupBy(listAddresses(socket), ({ linkIndex }) => linkIndex);
  const filters = new Map(netconf.map(({ linkIndex, rpFilter }) => [linkIndex, rpFilter ?? 0]));
  return links.map(({ alias, group: _group, ...link }) => ({
    ...link,
    ...(alias === undefined ? {} : { owner: alias }),
    addresses: (addresses.get(link.index) ?? []).map(({ prefix }) => prefix),
    rpFilter: Math.max(filters.get(link.index) ?? 0, filters.get(allLinks) ?? 0),
  }));
}

function observeRoutes(
  socket: NetlinkSocket,
  family: 4 | 6,
  nameOf: (index: number) => string,
): ObservedNamespaceRoute[] {
  return listRouteHops(socket, family).map(({ linkIndex, type, scope: _scope, onlink: _onlink, ...route }) => ({
    ...route,
    type: routeType(type),
    ...(linkIndex === undefined ? {} : { link: nameOf(linkIndex) }),
  }));
}

/** Settings that netlink does not report, read in one step: files of /proc show the namespace of the task that opens them. */
function readSettings(ns: string | undefined): Pick<ObservedNamespace, 'bridgeNetfilter' | 'legacyTables'> {
  return openInNetns(ns, () => {
    const tables = (file: string): string[] =>
      (readIfExists(`/proc/thread-self/net/${file}`) ?? '').split('\n').filter((name) => name !== '');
    const bridge = readIfExists('/proc/sys/net/bridge/bridge-nf-call-iptables');
    return {
      ...(bridge === undefined ? {} : { bridgeNetfilter: bridge.trim() === '1' }),
      legacyTables: [...tables('ip_tables_names'), ...tables('ip6_tables_names').map((name) => `ip6 ${name}`)],
    };
  });
}
