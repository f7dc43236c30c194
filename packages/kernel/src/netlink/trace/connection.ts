/** Looks up one connection by a tuple of either direction: its reply tuple shows the translation (ctnetlink). */
import { formatIp, ipFromBytes, ipToBytes, NetyardError, parseIp } from '@netyard/core';
import type { ConnectionQuery, ConnectionTuple, TracedConnection } from '../../packet-trace.ts';
import { hasErrno } from '../../system/ffi/errno.ts';
import {
  type Attribute,
  Attributes,
  be16,
  bytes,
  concatBytes,
  encodeAttributes,
  nested,
  u8,
  viewOf,
} from '../attribute.ts';
import { familyNumber } from '../rtnl/address.ts';
import { NETLINK_NETFILTER, NetlinkSocket } from '../socket.ts';
import { protocolNumber, protocolOf } from './match.ts';

const IPCTNL_MSG_CT_GET = 0x0101; // subsystem CTNETLINK, message 1
/** linux/netfilter/nfnetlink_conntrack.h */
const CTA = { TUPLE_ORIG: 1, TUPLE_REPLY: 2, STATUS: 3, ID: 12 } as const;
const CTA_TUPLE = { IP: 1, PROTO: 2 } as const;
const CTA_IP = { V4_SRC: 1, V4_DST: 2, V6_SRC: 3, V6_DST: 4 } as const;
const CTA_PROTO = {
  ...{ NUM: 1, SRC_PORT: 2, DST_PORT: 3, ICMP_ID: 4, ICMP_TYPE: 5, ICMP_CODE: 6 },
  ...{ ICMPV6_ID: 7, ICMPV6_TYPE: 8, ICMPV6_CODE: 9 },
} as const;
const IPS_SEEN_REPLY = 1 << 1;
const IPS_SRC_NAT = 1 << 4;
const IPS_DST_NAT = 1 << 5;
const echoRequest = { 4: 8, 6: 128 } as const;

/** See `PacketTracing.findConnection`. */
export function findConnection({ ns, ...query }: ConnectionQuery): TracedConnection | undefined {
  const payload = encodeConnectionQuery(query);
  const socket = NetlinkSocket.open(NETLINK_NETFILTER, { ns });
  try {
    const object = `${query.protocol} ${query.source} ${query.destination}`;
    return decodeConnection(
      socket.query({ type: IPCTNL_MSG_CT_GET, payload, operation: 'conntrack -G', object }).payload,
    );
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  } finally {
    socket.close();
  }
}

/** struct nfgenmsg and the tuple. Throws `invalid`. Pure. */
export function encodeConnectionQuery(query: Omit<ConnectionQuery, 'ns'>): Uint8Array {
  const source = parseIp(query.source);
  const destination = parseIp(query.destination);
  if (source.family !== destination.family)
    throw new NetyardError('invalid', `${query.source} and ${query.destination} are of different IP versions`);
  const { family } = source;
  const [from, to] = family === 4 ? [CTA_IP.V4_SRC, CTA_IP.V4_DST] : [CTA_IP.V6_SRC, CTA_IP.V6_DST];
  const tuple = nested(CTA.TUPLE_ORIG, [
    nested(CTA_TUPLE.IP, [bytes(from, ipToBytes(source)), bytes(to, ipToBytes(destination))]),
    nested(CTA_TUPLE.PROTO, encodeProtocol(query, family)),
  ]);
  return concatBytes([Uint8Array.of(familyNumber(family), 0, 0, 0), encodeAttributes([tuple])]);
}

function encodeProtocol(query: Omit<ConnectionQuery, 'ns'>, family: 4 | 6): Attribute[] {
  const { protocol, sourcePort = 0, destinationPort = 0, icmpId = 0 } = query;
  const number = u8(CTA_PROTO.NUM, protocolOf({ family, protocol }));
  if (protocol !== 'icmp')
    return [number, be16(CTA_PROTO.SRC_PORT, sourcePort), be16(CTA_PROTO.DST_PORT, destinationPort)];
  const [id, type, code] =
    family === 4
      ? [CTA_PROTO.ICMP_ID, CTA_PROTO.ICMP_TYPE, CTA_PROTO.ICMP_CODE]
      : [CTA_PROTO.ICMPV6_ID, CTA_PROTO.ICMPV6_TYPE, CTA_PROTO.ICMPV6_CODE];
  return [number, be16(id, icmpId), u8(type, echoRequest[family]), u8(code, 0)];
}

/** Payload of IPCTNL_MSG_CT_NEW. Pure. */
export function decodeConnection(payload: Uint8Array): TracedConnection {
  const all = new Attributes(payload.subarray(4));
  const number = (type: number): number => {
    const value = all.bytes(type);
    return value === undefined || value.length < 4 ? 0 : viewOf(value).getUint32(0);
  };
  const status = number(CTA.STATUS);
  return {
    id: number(CTA.ID),
    original: decodeTuple(all.nested(CTA.TUPLE_ORIG)),
    reply: decodeTuple(all.nested(CTA.TUPLE_REPLY)),
    sourceNat: (status & IPS_SRC_NAT) !== 0,
    destinationNat: (status & IPS_DST_NAT) !== 0,
    replied: (status & IPS_SEEN_REPLY) !== 0,
  };
}

function decodeTuple(tuple: Attributes): ConnectionTuple {
  const ip = tuple.nested(CTA_TUPLE.IP);
  const protocol = tuple.nested(CTA_TUPLE.PROTO);
  const address = (v4: number, v6: number): string => {
    const value = ip.bytes(v4) ?? ip.bytes(v6);
    return value === undefined ? '' : formatIp(ipFromBytes(value));
  };
  const ends = { source: address(CTA_IP.V4_SRC, CTA_IP.V6_SRC), destination: address(CTA_IP.V4_DST, CTA_IP.V6_DST) };
  const number = protocol.u8(CTA_PROTO.NUM);
  if (number === protocolNumber.icmp || number === protocolNumber.icmp6)
    return { ...ends, icmpId: protocol.be16(CTA_PROTO.ICMP_ID) ?? protocol.be16(CTA_PROTO.ICMPV6_ID) ?? 0 };
  return {
    ...ends,
    sourcePort: protocol.be16(CTA_PROTO.SRC_PORT) ?? 0,
    destinationPort: protocol.be16(CTA_PROTO.DST_PORT) ?? 0,
  };
}
