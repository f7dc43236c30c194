/**
 * Deletes conntrack entries one by one (ctnetlink). The table can hold hundreds of thousands, so one pass serves all
 * matches and yields to the event loop in between. See linux/netfilter/nfnetlink_conntrack.h.
 */
import { formatIp, type IpFamily, ipFromBytes, PrefixIndex, parseIp, parsePrefix } from '@netyard/core';
import type { ConnectionMatch, PortProtocol } from '../contract.ts';
import { hasErrno } from '../system/ffi/errno.ts';
import {
  type Attribute,
  Attributes,
  bytes,
  concatBytes,
  encodeAttributes,
  firstAttribute,
  nested,
  u8,
  u32,
} from './attribute.ts';
import type { Session } from './session.ts';
import type { NetlinkSocket } from './socket.ts';

const IPCTNL_MSG_CT_GET = 0x0101; // subsystem CTNETLINK, message 1
const IPCTNL_MSG_CT_DELETE = 0x0102;
const NLA_F_NESTED = 0x8000;
const CTA = { TUPLE_ORIG: 1, STATUS: 3, ZONE: 18, FILTER: 25 } as const;
/** linux/netfilter/nf_conntrack_common.h. */
const IPS_DST_NAT = 1 << 5;
const CTA_TUPLE = { IP: 1, PROTO: 2 } as const;
const CTA_IP = { V4_SRC: 1, V4_DST: 2, V6_SRC: 3, V6_DST: 4 } as const;
const CTA_PROTO = { NUM: 1, DST_PORT: 3 } as const;
const CTA_FILTER_ORIG_FLAGS = 1;
const CTA_FILTER_F_CTA_PROTO_NUM = 1 << 3;
const AF_INET = 2;
const AF_INET6 = 10;
const protocolNumbers: Readonly<Record<PortProtocol, number>> = { tcp: 6, udp: 17, sctp: 132 };
const nothing = new Uint8Array();

/** Destination addresses by protocol number and port. */
export type PortIndex = ReadonlyMap<string, ReadonlySet<string>>;

export function indexPorts(matches: readonly ConnectionMatch[]): PortIndex {
  const index = new Map<string, Set<string>>();
  for (const { protocol, port, address } of matches) {
    const key = `${protocolNumbers[protocol]} ${port}`;
    index.set(key, (index.get(key) ?? new Set()).add(formatIp(parseIp(address))));
  }
  return index;
}

/** Whether the payload of IPCTNL_MSG_CT_NEW is a connection whose original destination is one of the ports. Pure. */
export function isConnectionTo(payload: Uint8Array, ports: PortIndex): boolean {
  const tuple = firstTuple(payload);
  const protocol = new Attributes(firstAttribute(tuple, CTA_TUPLE.PROTO) ?? nothing);
  const addresses = ports.get(`${protocol.u8(CTA_PROTO.NUM)} ${protocol.be16(CTA_PROTO.DST_PORT)}`);
  if (addresses === undefined) return false;
  const ip = new Attributes(firstAttribute(tuple, CTA_TUPLE.IP) ?? nothing);
  const address = ip.bytes(CTA_IP.V4_DST) ?? ip.bytes(CTA_IP.V6_DST);
  if (address === undefined) return false;
  return addresses.has(address.length === 4 ? '0.0.0.0' : '::') || addresses.has(formatIp(ipFromBytes(address)));
}

/** Whether the source or the destination of the original direction is in one of the subnets. Pure. */
export function isConnectionOf(payload: Uint8Array, subnets: PrefixIndex<unknown>): boolean {
  const ip = new Attributes(firstAttribute(firstTuple(payload), CTA_TUPLE.IP) ?? nothing);
  return [CTA_IP.V4_SRC, CTA_IP.V4_DST, CTA_IP.V6_SRC, CTA_IP.V6_DST].some((end) => {
    const address = ip.bytes(end);
    return address !== undefined && subnets.find(ipFromBytes(address)) !== undefined;
  });
}

/** Whether the connection has destination NAT. Pure. */
function isTranslated(payload: Uint8Array): boolean {
  const status = firstAttribute(payload.subarray(4), CTA.STATUS) ?? nothing;
  return ((status[3] ?? 0) & IPS_DST_NAT) !== 0; // network byte order
}

/** The original direction's addresses and ports, after struct nfgenmsg. */
const firstTuple = (payload: Uint8Array): Uint8Array => firstAttribute(payload.subarray(4), CTA.TUPLE_ORIG) ?? nothing;

/** Payload of IPCTNL_MSG_CT_DELETE for a dumped connection. Pure. */
export function encodeDeletion(payload: Uint8Array): Uint8Array {
  const found = new Attributes(payload.subarray(4));
  const attributes = [bytes(CTA.TUPLE_ORIG | NLA_F_NESTED, found.bytes(CTA.TUPLE_ORIG) ?? new Uint8Array())];
  const zone = found.bytes(CTA.ZONE);
  if (zone) attributes.push(bytes(CTA.ZONE, zone));
  return concatBytes([payload.slice(0, 4), encodeAttributes(attributes)]);
}

/**
 * Equivalent to: `conntrack -D -p PROTOCOL --orig-port-dst PORT -d ADDRESS` for each match. Returns the number of
 * deleted entries.
 */
export async function flushConntrack(
  session: Session,
  matches: readonly ConnectionMatch[],
  { untranslated = false }: { untranslated?: boolean } = {},
): Promise<number> {
  if (matches.length === 0) return 0;
  const ports = indexPorts(matches);
  const object = matches.slice(0, 5).map(({ protocol, address, port }) => `${protocol} to ${address} port ${port}`);
  const protocols = [...new Set(matches.map(({ protocol }) => protocol))];
  const [only] = protocols.length === 1 ? protocols : [];
  return await deleteMatching(session, {
    ...{ object: object.join(', '), families: familiesOf(matches.map(({ address }) => parseIp(address))) },
    filter: only === undefined ? [] : filterProtocol(only),
    matches: (payload) => isConnectionTo(payload, ports) && !(untranslated && isTranslated(payload)),
  });
}

/** Filters the dump in the kernel; Linux before 5.8 ignores the filter. Pure. */
const filterProtocol = (protocol: PortProtocol): Attribute[] => [
  nested(CTA.FILTER, [u32(CTA_FILTER_ORIG_FLAGS, CTA_FILTER_F_CTA_PROTO_NUM)]),
  nested(CTA.TUPLE_ORIG, [nested(CTA_TUPLE.PROTO, [u8(CTA_PROTO.NUM, protocolNumbers[protocol])])]),
];

/**
 * Equivalent to: `conntrack -D -s SUBNET; conntrack -D -d SUBNET` for each subnet. Returns the number of deleted
 * entries.
 */
export async function flushConntrackOf(session: Session, subnets: readonly string[]): Promise<number> {
  if (subnets.length === 0) return 0;
  const index = new PrefixIndex<string>();
  // Shorter prefixes first: a subnet inside one of them adds nothing.
  const prefixes = subnets.map(parsePrefix).sort((a, b) => a.length - b.length);
  for (const prefix of prefixes) if (!index.overlapping(prefix)) index.add(prefix, '');
  return await deleteMatching(session, {
    ...{ object: `connections of ${subnets.slice(0, 5).join(', ')}`, filter: [] },
    families: familiesOf(prefixes),
    matches: (payload) => isConnectionOf(payload, index),
  });
}

const familiesOf = (addresses: readonly { family: IpFamily }[]): number[] => [
  ...new Set(addresses.map(({ family }) => (family === 4 ? AF_INET : AF_INET6))),
];

interface Selection {
  object: string;
  families: readonly number[];
  /** Filter that the kernel applies to the dump. */
  filter: readonly Attribute[];
  matches(payload: Uint8Array): boolean;
}

async function deleteMatching(session: Session, { object, families, filter, matches }: Selection): Promise<number> {
  let deleted = 0;
  const list = session.privateNetfilter();
  try {
    for (const family of families) {
      const payload = concatBytes([Uint8Array.of(family, 0, 0, 0), encodeAttributes(filter)]); // struct nfgenmsg first
      const request = { type: IPCTNL_MSG_CT_GET, payload, operation: 'conntrack -L', object };
      for await (const messages of list.dumpInTimeSlices(request))
        for (const found of messages)
          if (matches(found.payload) && deleteEntry(session.netfilter(), found.payload, object)) deleted += 1;
    }
  } finally {
    list.close();
  }
  return deleted;
}

function deleteEntry(socket: NetlinkSocket, payload: Uint8Array, object: string): boolean {
  try {
    const request = { type: IPCTNL_MSG_CT_DELETE, payload: encodeDeletion(payload), operation: 'conntrack -D', object };
    socket.execute(request);
    return true;
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return false; // the entry expired meanwhile
    throw error;
  }
}
