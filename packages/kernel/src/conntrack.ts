/** Connections that the kernel tracks (ctnetlink), forgotten one by one. See linux/netfilter/nfnetlink_conntrack.h. */
import { formatIp, ipFromBytes, PrefixIndex, parseIp, parsePrefix } from '@netyard/core';
import type { PortProtocol } from './contract.ts';
import { hasErrno } from './ffi/errno.ts';
import { Attributes, bytes, concatBytes, encodeAttributes } from './netlink/attribute.ts';
import type { NetlinkSocket } from './netlink/socket.ts';

const IPCTNL_MSG_CT_GET = 0x0101; // subsystem CTNETLINK, message 1
const IPCTNL_MSG_CT_DELETE = 0x0102;
const NLA_F_NESTED = 0x8000;
const CTA = { TUPLE_ORIG: 1, ZONE: 18 } as const;
const CTA_TUPLE = { IP: 1, PROTO: 2 } as const;
const CTA_IP = { V4_SRC: 1, V4_DST: 2, V6_SRC: 3, V6_DST: 4 } as const;
const CTA_PROTO = { NUM: 1, DST_PORT: 3 } as const;
const AF_INET = 2;
const AF_INET6 = 10;
const protocolNumbers: Readonly<Record<PortProtocol, number>> = { tcp: 6, udp: 17, sctp: 132 };

export interface ConnectionMatch {
  protocol: PortProtocol;
  /** Destination port of the original direction: the published one. */
  port: number;
  /** Destination address of the original direction; left out: any. */
  address?: string;
}

/** Whether the payload of IPCTNL_MSG_CT_NEW is of a connection that was first sent to the port. Pure. */
export function isConnectionTo(payload: Uint8Array, match: ConnectionMatch): boolean {
  const tuple = new Attributes(payload.subarray(4)).nested(CTA.TUPLE_ORIG);
  const protocol = tuple.nested(CTA_TUPLE.PROTO);
  if (protocol.u8(CTA_PROTO.NUM) !== protocolNumbers[match.protocol]) return false;
  if (protocol.be16(CTA_PROTO.DST_PORT) !== match.port) return false;
  if (match.address === undefined) return true;
  const ip = tuple.nested(CTA_TUPLE.IP);
  const address = ip.bytes(CTA_IP.V4_DST) ?? ip.bytes(CTA_IP.V6_DST);
  return address !== undefined && formatIp(ipFromBytes(address)) === formatIp(parseIp(match.address));
}

/** Whether one of the two that speak is in one of the subnets, as the first packet had them. Pure. */
export function isConnectionOf(payload: Uint8Array, subnets: PrefixIndex<unknown>): boolean {
  const ip = new Attributes(payload.subarray(4)).nested(CTA.TUPLE_ORIG).nested(CTA_TUPLE.IP);
  return [CTA_IP.V4_SRC, CTA_IP.V4_DST, CTA_IP.V6_SRC, CTA_IP.V6_DST].some((end) => {
    const address = ip.bytes(end);
    return address !== undefined && subnets.find(ipFromBytes(address)) !== undefined;
  });
}

/** Payload of IPCTNL_MSG_CT_DELETE for a connection as it was dumped. Pure. */
export function encodeForget(payload: Uint8Array): Uint8Array {
  const found = new Attributes(payload.subarray(4));
  const attributes = [bytes(CTA.TUPLE_ORIG | NLA_F_NESTED, found.bytes(CTA.TUPLE_ORIG) ?? new Uint8Array())];
  const zone = found.bytes(CTA.ZONE);
  if (zone) attributes.push(bytes(CTA.ZONE, zone));
  return concatBytes([payload.slice(0, 4), encodeAttributes(attributes)]);
}

/** Twin: `conntrack -D -p PROTOCOL --orig-port-dst PORT [-d ADDRESS]`. Answers how many were forgotten. */
export function forgetConnections(socket: NetlinkSocket, match: ConnectionMatch): number {
  const object = `${match.protocol} to ${match.address ?? 'any'} port ${match.port}`;
  return forgetMatching(socket, object, (payload) => isConnectionTo(payload, match));
}

/** Twin: `conntrack -D -s SUBNET; conntrack -D -d SUBNET`. Answers how many were forgotten. */
export function forgetConnectionsOf(socket: NetlinkSocket, subnets: readonly string[]): number {
  const index = new PrefixIndex<string>();
  // The wider ones first: what lies inside of one adds nothing.
  const prefixes = subnets.map(parsePrefix).sort((a, b) => a.length - b.length);
  for (const prefix of prefixes) if (!index.overlapping(prefix)) index.add(prefix, '');
  const families = [4, 6].filter((family) => prefixes.some((prefix) => prefix.family === family));
  const object = `connections of ${subnets.slice(0, 5).join(', ')}`;
  const numbers = families.map((family) => (family === 4 ? AF_INET : AF_INET6));
  return forgetMatching(socket, object, (payload) => isConnectionOf(payload, index), numbers);
}

function forgetMatching(
  socket: NetlinkSocket,
  object: string,
  matches: (payload: Uint8Array) => boolean,
  families: readonly number[] = [AF_INET, AF_INET6],
): number {
  let forgotten = 0;
  for (const family of families) {
    const payload = Uint8Array.of(family, 0, 0, 0); // struct nfgenmsg
    const messages = socket.dump({ type: IPCTNL_MSG_CT_GET, payload, operation: 'conntrack -L', object });
    for (const message of messages.filter((found) => matches(found.payload))) {
      if (forget(socket, message.payload, object)) forgotten += 1;
    }
  }
  return forgotten;
}

function forget(socket: NetlinkSocket, payload: Uint8Array, object: string): boolean {
  try {
    const request = { type: IPCTNL_MSG_CT_DELETE, payload: encodeForget(payload), operation: 'conntrack -D', object };
    socket.order(request);
    return true;
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return false; // it ended meanwhile
    throw error;
  }
}
