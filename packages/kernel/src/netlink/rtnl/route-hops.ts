/** Routes of all types with each of their next hops. See rtnetlink(7), linux/rtnetlink.h. */
import { formatIp, ipFromBytes } from '@netyard/core';
import type { RouteType } from '../../packet-trace.ts';
import { Attributes, align4, hostIsLittleEndian, viewOf } from '../attribute.ts';
import type { NetlinkSocket } from '../socket.ts';
import { type DecodedRoute, decodeRoute, dumpRoutes } from './route.ts';

const RTA = { GATEWAY: 5, MULTIPATH: 9, VIA: 18 } as const;
/** sizeof(struct rtnexthop). */
const hopLength = 8;
/** By number; 0 is unspecified. */
const types: readonly RouteType[] = [
  ...(['other', 'unicast', 'local', 'broadcast', 'anycast', 'multicast'] as const),
  ...(['blackhole', 'unreachable', 'prohibit', 'throw'] as const),
];

export const routeType = (type: number): RouteType => types[type] ?? 'other';

/** The payload of RTM_NEWROUTE, an entry for each next hop; empty for families other than IP, and cached clones. */
export function decodeRouteHops(payload: Uint8Array): DecodedRoute[] {
  const route = decodeRoute(payload);
  if (route === undefined) return [];
  const hops = new Attributes(payload.subarray(12)).bytes(RTA.MULTIPATH);
  return hops === undefined ? [route] : [...decodeHops(hops)].map((hop) => ({ ...route, ...hop }));
}

/** An array of struct rtnexthop, each with its attributes. Stops at the first that does not fit, as the kernel does. */
function* decodeHops(hops: Uint8Array): Generator<{ linkIndex: number; via?: string }> {
  const view = viewOf(hops);
  let offset = 0;
  while (offset + hopLength <= hops.length) {
    const length = view.getUint16(offset, hostIsLittleEndian);
    if (length < hopLength || offset + length > hops.length) return;
    const attributes = new Attributes(hops.subarray(offset + hopLength, offset + length));
    const gateway = attributes.bytes(RTA.GATEWAY) ?? attributes.bytes(RTA.VIA)?.subarray(2);
    yield {
      linkIndex: view.getInt32(offset + 4, hostIsLittleEndian),
      ...(gateway === undefined ? {} : { via: formatIp(ipFromBytes(gateway)) }),
    };
    offset += align4(length);
  }
}

/** Of all tables. Equivalent to: `ip -FAMILY route show table all`. */
export const listRouteHops = (socket: NetlinkSocket, family: 4 | 6): DecodedRoute[] =>
  dumpRoutes(socket, family, 0)
    .flatMap(decodeRouteHops)
    .filter((route) => route.family === family);
