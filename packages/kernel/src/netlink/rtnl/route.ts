/** Routes over rtnetlink. See rtnetlink(7), ip-route(8). */
import { formatIp, ipFromBytes, ipToBytes, NetyardError, networkOf, parseIp, parsePrefix } from '@netyard/core';
import { hasErrno } from '../../system/ffi/errno.ts';
import { routeFamily } from '../../system/identity.ts';
import {
  type Attribute,
  Attributes,
  bytes,
  concatBytes,
  encodeAttributes,
  getU32,
  putU16,
  putU32,
  u32,
} from '../attribute.ts';
import { type NetlinkMessage, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE } from '../message.ts';
import type { NetlinkRequest, NetlinkSocket } from '../socket.ts';
import { AF_INET, familyNumber } from './address.ts';

export const RTM_NEWROUTE = 24;
export const RTM_DELROUTE = 25;
export const RTM_GETROUTE = 26;
const RTA = { DST: 1, OIF: 4, GATEWAY: 5, PRIORITY: 6, PREFSRC: 7, TABLE: 15, VIA: 18 } as const;
const RTN_UNICAST = 1;
const RTNH_F_ONLINK = 4;
const RTM_F_CLONED = 0x200;
const RTM_F_LOOKUP_TABLE = 0x1000;
const RTM_F_FIB_MATCH = 0x2000;
/** The default origin (protocol) of `ip route add`. */
const RTPROT_BOOT = 3;
export const mainTable = 254;
const RT_SCOPE_NOWHERE = 255;
const scopes = { global: 0, link: 253, host: 254 } as const;

export interface Route {
  /** `default`, or a prefix without host bits. */
  to: string;
  family?: 4 | 6;
  via?: string;
  linkIndex?: number;
  source?: string;
  metric?: number;
  table?: number;
  onlink?: boolean;
  scope?: 'global' | 'link' | 'host';
  protocol?: number;
}

/** struct rtmsg. */
interface RouteHead {
  family: number;
  length: number;
  table: number;
  protocol: number;
  scope: number;
  type: number;
  flags: number;
}

function encodeHead(head: RouteHead): Uint8Array {
  const table = head.table > 255 ? 0 : head.table; // a number above 255 is sent in an attribute only
  const data = new Uint8Array(12);
  data.set([head.family, head.length, 0, 0, table, head.protocol, head.scope, head.type]);
  putU32(data, 8, head.flags);
  return data;
}

/** Destination of a route; `default` is the prefix of length 0. Rejects host bits, as the kernel does. */
function destinationOf(route: Route): { value: Uint8Array; length: number; family: 4 | 6 } {
  const family = routeFamily(route);
  if (route.to === 'default') return { value: new Uint8Array(family === 4 ? 4 : 16), length: 0, family };
  const prefix = parsePrefix(route.to);
  if (prefix.family !== family) throw new NetyardError('invalid', `route to ${route.to} is not of IPv${family}`);
  if (networkOf(prefix).value !== prefix.value)
    throw new NetyardError('invalid', `route to ${route.to} has host bits set`);
  return { value: ipToBytes(prefix), length: prefix.length, family };
}

/** An IPv4 destination without a gateway has link scope; IPv6 has one scope only. */
function scopeOf(route: Route, family: 4 | 6): number {
  if (family === 6) return scopes.global;
  return route.scope === undefined ? scopes[route.via === undefined ? 'link' : 'global'] : scopes[route.scope];
}

function encodeGateway(via: string, family: 4 | 6): Attribute {
  const gateway = parseIp(via);
  if (gateway.family === family) return bytes(RTA.GATEWAY, ipToBytes(gateway));
  const value = concatBytes([new Uint8Array(2), ipToBytes(gateway)]); // struct rtvia: an IPv4 route over IPv6
  putU16(value, 0, familyNumber(gateway.family));
  return bytes(RTA.VIA, value);
}

/**
 * Payload of RTM_NEWROUTE or RTM_DELROUTE. In the latter, scope, type and an omitted protocol are wildcards, as in
 * ip-route(8).
 */
export function encodeRoute(route: Route, use: 'create' | 'delete' = 'create'): Uint8Array {
  const { value, length, family } = destinationOf(route);
  const table = route.table ?? mainTable;
  const attributes: Attribute[] = [];
  if (length > 0) attributes.push(bytes(RTA.DST, value));
  if (route.via !== undefined) attributes.push(encodeGateway(route.via, family));
  if (route.linkIndex !== undefined) attributes.push(u32(RTA.OIF, route.linkIndex));
  if (route.source !== undefined) attributes.push(bytes(RTA.PREFSRC, ipToBytes(parseIp(route.source))));
  if (route.metric !== undefined) attributes.push(u32(RTA.PRIORITY, route.metric));
  attributes.push(u32(RTA.TABLE, table));
  const flags = route.onlink ? RTNH_F_ONLINK : 0;
  const kind =
    use === 'create'
      ? { protocol: route.protocol ?? RTPROT_BOOT, type: RTN_UNICAST, scope: scopeOf(route, family) }
      : { protocol: route.protocol ?? 0, type: 0, scope: RT_SCOPE_NOWHERE };
  const head = encodeHead({ ...kind, family: familyNumber(family), length, table, flags });
  return concatBytes([head, encodeAttributes(attributes)]);
}

export interface DecodedRoute {
  family: 4 | 6;
  to: string;
  via?: string;
  linkIndex?: number;
  source?: string;
  metric?: number;
  table: number;
  protocol: number;
  scope: number;
  /** RTN_UNICAST 1, RTN_LOCAL 2, RTN_BROADCAST 3, … */
  type: number;
  onlink: boolean;
}

/** Decodes the payload of RTM_NEWROUTE and RTM_DELROUTE; undefined for families other than IP, and cached clones. */
export function decodeRoute(payload: Uint8Array): DecodedRoute | undefined {
  const [familyByte = 0, length = 0, , , table = 0, protocol = 0, scope = 0, type = 0] = payload;
  const flags = getU32(payload, 8);
  if ((familyByte !== AF_INET && familyByte !== familyNumber(6)) || flags & RTM_F_CLONED) return undefined;
  const attributes = new Attributes(payload.subarray(12));
  const family = familyByte === AF_INET ? 4 : 6;
  const destination = attributes.bytes(RTA.DST) ?? new Uint8Array(family === 4 ? 4 : 16);
  const address = (value: Uint8Array | undefined): string | undefined => value && formatIp(ipFromBytes(value));
  const via = address(attributes.bytes(RTA.GATEWAY) ?? attributes.bytes(RTA.VIA)?.subarray(2));
  const source = address(attributes.bytes(RTA.PREFSRC));
  const linkIndex = attributes.u32(RTA.OIF);
  const metric = attributes.u32(RTA.PRIORITY);
  return {
    family,
    to: length === 0 ? 'default' : `${address(destination)}/${length}`,
    table: attributes.u32(RTA.TABLE) ?? table,
    ...{ protocol, scope, type, onlink: (flags & RTNH_F_ONLINK) !== 0 },
    ...(via === undefined ? {} : { via }),
    ...(linkIndex === undefined ? {} : { linkIndex }),
    ...(source === undefined ? {} : { source }),
    ...(metric === undefined ? {} : { metric }),
  };
}

/** Equivalent to: `ip route add TO [via VIA] [dev LINK] …`. Throws EEXIST, ENETUNREACH. */
export function addRoute(socket: NetlinkSocket, route: Route): void {
  socket.execute(routeRequest(route, 'add', NLM_F_CREATE | NLM_F_EXCL));
}

/** The same; returns false when a route with this destination, table and metric exists. */
export const addRouteUnlessExists = (socket: NetlinkSocket, route: Route): boolean =>
  socket.executeUnlessExists(routeRequest(route, 'add', NLM_F_CREATE | NLM_F_EXCL));

/** Equivalent to: `ip route replace …`. */
export function replaceRoute(socket: NetlinkSocket, route: Route): void {
  socket.execute(routeRequest(route, 'replace', NLM_F_CREATE | NLM_F_REPLACE));
}

const routeRequest = (route: Route, verb: string, flags: number): NetlinkRequest => ({
  ...{ type: RTM_NEWROUTE, flags, payload: encodeRoute(route) },
  ...{ operation: `ip route ${verb}`, object: route.to },
});

/** Equivalent to: `ip route delete …`. Throws ESRCH. */
export function deleteRoute(socket: NetlinkSocket, route: Route): void {
  const payload = encodeRoute(route, 'delete');
  socket.execute({ type: RTM_DELROUTE, payload, operation: 'ip route delete', object: route.to });
}

/**
 * The route that packets to an address take, as it is in its table (RTM_F_FIB_MATCH, Linux 4.13); undefined when there
 * is none. The cost does not depend on the number of routes. Equivalent to: `ip route get fibmatch ADDRESS`.
 */
export function matchRoute(socket: NetlinkSocket, address: string): DecodedRoute | undefined {
  const ip = parseIp(address);
  // IPv6 always reports the table, and rejects the flag.
  const flags = ip.family === 4 ? RTM_F_LOOKUP_TABLE | RTM_F_FIB_MATCH : RTM_F_FIB_MATCH;
  const rest = { length: ip.family === 4 ? 32 : 128, table: 0, protocol: 0, scope: 0, type: 0, flags };
  const head = encodeHead({ family: familyNumber(ip.family), ...rest });
  const payload = concatBytes([head, encodeAttributes([bytes(RTA.DST, ipToBytes(ip))])]);
  try {
    const request = { type: RTM_GETROUTE, payload, operation: 'ip route get', object: address };
    return decodeRoute(socket.query(request).payload);
  } catch (error) {
    if (hasErrno(error, 'ENETUNREACH', 'EHOSTUNREACH')) return undefined;
    throw error;
  }
}

/** Unicast routes of one table (default: main); table 0 selects all. Equivalent to: `ip route show table TABLE`. */
export function listRoutes(socket: NetlinkSocket, family: 4 | 6, table: number = mainTable): DecodedRoute[] {
  return dumpRoutes(socket, family, table)
    .map(decodeRoute)
    .filter((route) => route !== undefined)
    .filter((route) => route.type === RTN_UNICAST && (table === 0 || route.table === table));
}

/** Payload of RTM_GETROUTE; table 0 selects all. */
export function encodeRoutesQuery(family: 4 | 6, table: number): Uint8Array {
  const none = { length: 0, table: 0, protocol: 0, scope: 0, type: 0, flags: 0 };
  const filter = table === 0 ? [] : [u32(RTA.TABLE, table)];
  return concatBytes([encodeHead({ ...none, family: familyNumber(family) }), encodeAttributes(filter)]);
}

/** Payloads of RTM_NEWROUTE, of routes of all types; table 0 selects all. */
export function dumpRoutes(socket: NetlinkSocket, family: 4 | 6, table: number): Uint8Array[] {
  const payload = encodeRoutesQuery(family, table);
  const request = { type: RTM_GETROUTE, payload, operation: 'ip route show', object: `table ${table}` };
  return dumpOrEmpty(socket, request)
    .filter((message) => message.type === RTM_NEWROUTE)
    .map((message) => message.payload);
}

/** A table that never had a route does not exist, and dumping it by number is an error (ENOENT). */
function dumpOrEmpty(socket: NetlinkSocket, request: NetlinkRequest): NetlinkMessage[] {
  try {
    return socket.dump(request);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return [];
    throw error;
  }
}
