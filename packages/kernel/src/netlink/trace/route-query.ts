/**
 * Asks the kernel for the route of one packet: as transmitted by the namespace, or with `iif` as forwarded by it. An error
 * is an answer, too. See rtnetlink(7), ip-route(8).
 */
import { formatIp, ipFromBytes, ipToBytes, KernelError, parseIp } from '@netyard/core';
import type { MatchedRoute, RouteQuery, RouteResult, RouteType } from '../../packet-trace.ts';
import { errnoOf, kernelError } from '../../system/ffi/errno.ts';
import {
  type Attribute,
  Attributes,
  be16,
  bytes,
  concatBytes,
  encodeAttributes,
  hostIsLittleEndian,
  u8,
  u32,
  viewOf,
} from '../attribute.ts';
import { familyNumber } from '../rtnl/address.ts';
import { NETLINK_ROUTE, NetlinkSocket } from '../socket.ts';
import { protocolOf } from './match.ts';
import { readLinkNames } from './namespace.ts';

const RTM_GETROUTE = 26;
const RTA = {
  ...{ DST: 1, SRC: 2, IIF: 3, OIF: 4, GATEWAY: 5, PRIORITY: 6, PREFSRC: 7, METRICS: 8, TABLE: 15, MARK: 16, VIA: 18 },
  ...{ IP_PROTO: 27, SPORT: 28, DPORT: 29 },
} as const;
const RTAX_MTU = 2;
const RTM_F_LOOKUP_TABLE = 0x1000;
const RTM_F_FIB_MATCH = 0x2000;
const headLength = 12;
/** RTN_UNSPEC 0, … linux/rtnetlink.h. */
const types: readonly RouteType[] = [
  ...(['other', 'unicast', 'local', 'broadcast', 'anycast', 'multicast', 'blackhole', 'unreachable'] as const),
  ...(['prohibit', 'throw'] as const),
];

/** See `PacketTracing.queryRoute`. */
export function queryRoute(query: RouteQuery): RouteResult {
  const socket = NetlinkSocket.open(NETLINK_ROUTE, { ns: query.ns });
  try {
    return queryOn(socket, query);
  } finally {
    socket.close();
  }
}

function queryOn(socket: NetlinkSocket, query: RouteQuery): RouteResult {
  const ask = (matched: boolean): DecodedAnswer => {
    const links = { iif: linkIndex(socket, query.iif), oif: linkIndex(socket, query.oif) };
    const payload = encodeRouteQuery(query, links, matched);
    const request = { type: RTM_GETROUTE, payload, operation: 'ip route get', object: query.destination };
    return decodeAnswer(socket.query(request).payload);
  };
  try {
    const used = ask(false);
    const matched = ask(true);
    const names = readLinkNames(query.ns);
    return { found: true, route: describeRoute(matched, used, (index) => names.get(index) ?? `if${index}`) };
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    return { found: false, errno: error.errnoName, text: error.message };
  }
}

function linkIndex(socket: NetlinkSocket, name: string | undefined): number | undefined {
  if (name === undefined) return undefined;
  const index = Buffer.byteLength(name) > 15 ? undefined : socket.findLinkIndex(name);
  if (index === undefined) throw kernelError(errnoOf('ENODEV'), 'ip route get', socket.qualify(name));
  return index;
}

/** struct rtmsg and attributes. `matched` requests the route as it is in its table. Pure. */
export function encodeRouteQuery(
  query: RouteQuery,
  links: { iif?: number | undefined; oif?: number | undefined },
  matched: boolean,
): Uint8Array {
  const destination = parseIp(query.destination);
  const source = query.source === undefined ? undefined : parseIp(query.source);
  const bits = destination.family === 4 ? 32 : 128;
  const head = new Uint8Array(headLength);
  head.set([familyNumber(destination.family), bits, source === undefined ? 0 : bits]);
  // IPv6 always reports the table, and rejects the flag.
  const flags = (matched ? RTM_F_FIB_MATCH : 0) | (destination.family === 4 ? RTM_F_LOOKUP_TABLE : 0);
  viewOf(head).setUint32(8, flags, hostIsLittleEndian);
  const attributes: Attribute[] = [bytes(RTA.DST, ipToBytes(destination))];
  if (source !== undefined) attributes.push(bytes(RTA.SRC, ipToBytes(source)));
  if (links.iif !== undefined) attributes.push(u32(RTA.IIF, links.iif));
  if (links.oif !== undefined) attributes.push(u32(RTA.OIF, links.oif));
  if (query.mark !== undefined) attributes.push(u32(RTA.MARK, query.mark));
  const { protocol, sourcePort, destinationPort } = query;
  if (protocol !== undefined) attributes.push(u8(RTA.IP_PROTO, protocolOf({ family: destination.family, protocol })));
  if (sourcePort !== undefined) attributes.push(be16(RTA.SPORT, sourcePort));
  if (destinationPort !== undefined) attributes.push(be16(RTA.DPORT, destinationPort));
  return concatBytes([head, encodeAttributes(attributes)]);
}

export interface DecodedAnswer extends Omit<MatchedRoute, 'link'> {
  linkIndex?: number;
}

/** RTM_NEWROUTE as an answer, which also has cached clones. Pure. */
export function decodeAnswer(payload: Uint8Array): DecodedAnswer {
  const [family = 0, length = 0, , , table = 0, protocol = 0, , type = 0] = payload;
  const all = new Attributes(payload.subarray(headLength));
  const address = (value: Uint8Array | undefined): string | undefined => value && formatIp(ipFromBytes(value));
  const to = address(all.bytes(RTA.DST) ?? new Uint8Array(family === familyNumber(4) ? 4 : 16));
  const via = address(all.bytes(RTA.GATEWAY) ?? all.bytes(RTA.VIA)?.subarray(2));
  const source = address(all.bytes(RTA.PREFSRC));
  const index = all.u32(RTA.OIF);
  const metric = all.u32(RTA.PRIORITY);
  const mtu = all.nested(RTA.METRICS).u32(RTAX_MTU);
  return {
    to: length === 0 ? 'default' : `${to}/${length}`,
    ...{ table: all.u32(RTA.TABLE) ?? table, protocol, type: types[type] ?? 'other' },
    ...(metric === undefined ? {} : { metric }),
    ...(via === undefined ? {} : { via }),
    ...(index === undefined ? {} : { linkIndex: index }),
    ...(source === undefined ? {} : { source }),
    ...(mtu === undefined || mtu === 0 ? {} : { mtu }),
  };
}

/** Destination, table and origin are those of the route in its table, the rest is what this packet gets. */
function describeRoute(matched: DecodedAnswer, used: DecodedAnswer, nameOf: (index: number) => string): MatchedRoute {
  const { to, table, protocol, metric } = matched;
  const { type, via, source, mtu, linkIndex } = used;
  return {
    ...{ to, table, protocol, type },
    ...(metric === undefined ? {} : { metric }),
    ...(via === undefined ? {} : { via }),
    ...(linkIndex === undefined ? {} : { link: nameOf(linkIndex) }),
    ...(source === undefined ? {} : { source }),
    ...(mtu === undefined ? {} : { mtu }),
  };
}
