/**
 * The configuration of the process's own namespace, for a record of its states: links, addresses, routes, rules, permanent
 * neighbours, forwarding, and the nftables ruleset. Long dumps yield to the event loop, and a thread of the pool lists the
 * ruleset, so it is not consistent while it changes. Changes nothing.
 */
import { NetyardError } from '@netyard/core';
import type { ObservedNetworkState } from '../observed-namespace.ts';
import { readIfExists } from '../system/read-if-exists.ts';
import type { NetlinkMessage } from './message.ts';
import { NftContext, nftOutput } from './nft/context.ts';
import { decodeAddress, encodeAddressesQuery, RTM_GETADDR, RTM_NEWADDR } from './rtnl/address.ts';
import { decodeLink, RTM_NEWLINK } from './rtnl/link.ts';
import { encodeLinksQuery, RTM_GETLINK } from './rtnl/link-message.ts';
import { RTM_GETNEIGH, RTM_NEWNEIGH } from './rtnl/neighbour.ts';
import { decodeNeighbourState } from './rtnl/neighbour-state.ts';
import { encodeRoutesQuery, RTM_GETROUTE, RTM_NEWROUTE } from './rtnl/route.ts';
import { decodeRouteHops, routeType } from './rtnl/route-hops.ts';
import { listRules } from './rtnl/rule.ts';
import { NETLINK_ROUTE, NetlinkSocket } from './socket.ts';

const families = [4, 6] as const;
/** linux/rtnetlink.h RT_TABLE_LOCAL. */
const localTable = 255;
/** Of one kind. A host with all routes of the Internet has a million. */
const maximumObjects = 50_000;

type Links = ObservedNetworkState['links'];

/**
 * Throws KernelError.
 *
 * @param known links and routes that have not changed since they were observed: they are not read again
 */
export async function observeNetworkState(
  known?: Pick<ObservedNetworkState, 'links' | 'routes'>,
): Promise<ObservedNetworkState> {
  const socket = NetlinkSocket.open(NETLINK_ROUTE);
  try {
    const links = known?.links ?? (await observeLinks(socket));
    const nameOf = namesBy(links);
    const dumped = await dump(socket, { type: RTM_GETNEIGH, payload: new Uint8Array(12) }, (message) =>
      message.type === RTM_NEWNEIGH ? (decodeNeighbourState(message.payload) ?? []) : [],
    );
    const permanent = dumped.filter(({ state }) => state === 'permanent');
    return {
      links,
      routes: known?.routes ?? [
        ...(await observeRoutes(socket, 4, nameOf)),
        ...(await observeRoutes(socket, 6, nameOf)),
      ],
      rules: families.flatMap((family) => listRules(socket, family)),
      neighbours: permanent.map(({ linkIndex, ...entry }) => ({ link: nameOf(linkIndex), ...entry })),
      forwarding: { v4: isOn('ipv4/ip_forward'), v6: isOn('ipv6/conf/all/forwarding') },
      ruleset: await listRuleset(),
    };
  } finally {
    socket.close();
  }
}

/** Listing the settings of all links by netlink takes longer than reading these files. */
const isOn = (setting: string): boolean => readIfExists(`/proc/sys/net/${setting}`)?.trim() === '1';

function namesBy(links: Links): (index: number) => string {
  const names = new Map(links.map(({ index, name }) => [index, name]));
  return (index) => names.get(index) ?? `if${index}`;
}

async function observeLinks(socket: NetlinkSocket): Promise<Links> {
  const links = await dump(socket, { type: RTM_GETLINK, payload: encodeLinksQuery() }, (message) =>
    message.type === RTM_NEWLINK ? [decodeLink(message.payload)] : [],
  );
  const addresses = await dump(socket, { type: RTM_GETADDR, payload: encodeAddressesQuery() }, (message) =>
    message.type === RTM_NEWADDR ? (decodeAddress(message.payload) ?? []) : [],
  );
  const byLink = Map.groupBy(addresses, ({ linkIndex }) => linkIndex);
  return links.map(({ alias, group: _group, ...link }) => ({
    ...link,
    ...(alias === undefined ? {} : { owner: alias }),
    addresses: (byLink.get(link.index) ?? [])
      .filter(({ transient }) => !transient)
      .map(({ prefix, broadcast }) => ({ prefix, ...(broadcast === undefined ? {} : { broadcast }) })),
  }));
}

/** Without those of the table local, which follow from addresses. */
async function observeRoutes(
  socket: NetlinkSocket,
  family: 4 | 6,
  nameOf: (index: number) => string,
): Promise<ObservedNetworkState['routes']> {
  const query = { type: RTM_GETROUTE, payload: encodeRoutesQuery(family, 0) };
  const hops = await dump(socket, query, (message) =>
    message.type === RTM_NEWROUTE ? decodeRouteHops(message.payload).filter(({ table }) => table !== localTable) : [],
  );
  return hops
    .filter((route) => route.family === family)
    .map(({ linkIndex, type, scope: _scope, onlink, ...route }) => ({
      ...route,
      ...(onlink ? { onlink: true } : {}),
      type: routeType(type),
      ...(linkIndex === undefined ? {} : { link: nameOf(linkIndex) }),
    }));
}

async function dump<T>(
  socket: NetlinkSocket,
  { type, payload }: { type: number; payload: Uint8Array },
  decode: (message: NetlinkMessage) => T | T[],
): Promise<T[]> {
  const found: T[] = [];
  for await (const messages of socket.dumpInTimeSlices({ type, payload, operation: 'ip show', object: 'all' })) {
    found.push(...messages.flatMap(decode));
    if (found.length > maximumObjects)
      throw new NetyardError('failed', `more than ${maximumObjects} links, addresses, routes or neighbours`);
  }
  return found;
}

/** `nft -a -s list ruleset`. */
async function listRuleset(): Promise<string> {
  const context = NftContext.openHeld();
  try {
    const purpose = { operation: 'nft list ruleset', object: 'all tables' };
    return await context.runInThread('list ruleset', purpose, nftOutput.stateless | nftOutput.handle);
  } finally {
    context.close();
  }
}
