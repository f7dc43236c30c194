/** Addresses of links over rtnetlink. See rtnetlink(7), linux/if_addr.h. */
import { formatIp, ipFromBytes, ipToBytes, parseIp, parsePrefix } from '@netyard/core';
import { type Attribute, Attributes, bytes, concatBytes, encodeAttributes, getU32, putU32, u32 } from '../attribute.ts';
import { NLM_F_CREATE, NLM_F_EXCL } from '../message.ts';
import type { NetlinkSocket } from '../socket.ts';

export const RTM_NEWADDR = 20;
export const RTM_DELADDR = 21;
export const RTM_GETADDR = 22;
const IFA = { ADDRESS: 1, LOCAL: 2, BROADCAST: 4, FLAGS: 8 } as const;
const IFA_F_NODAD = 0x02;
/** Of IPv6; for IPv4, the first one means a secondary address. */
const transientFlags = { TEMPORARY: 0x01, DADFAILED: 0x08, DEPRECATED: 0x20, TENTATIVE: 0x40 } as const;
const RT_SCOPE_UNIVERSE = 0;
const RT_SCOPE_LINK = 253;
const RT_SCOPE_HOST = 254;

export const AF_INET = 2;
export const AF_INET6 = 10;
export const familyNumber = (family: 4 | 6): number => (family === 4 ? AF_INET : AF_INET6);

export interface LinkAddress {
  linkIndex: number;
  /** `172.17.0.2/16`, with host bits. */
  prefix: string;
  broadcast?: string;
}

/** struct ifaddrmsg. */
function encodeHead(family: number, length: number, scope: number, index: number): Uint8Array {
  const head = Uint8Array.of(family, length, 0, scope, 0, 0, 0, 0);
  putU32(head, 4, index);
  return head;
}

/** The default scope of ip-address(8): host for loopback, link for IPv6 link-local. */
function scopeOf(text: string): number {
  if (text.startsWith('127.') || text === '::1/128') return RT_SCOPE_HOST;
  return /^fe[89ab]/i.test(text) ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
}

/**
 * Payload of RTM_NEWADDR and RTM_DELADDR. IPv6 addresses are added without duplicate address detection, which would
 * delay their use for a second: the caller must know that they are unused.
 */
export function encodeAddress(address: LinkAddress): Uint8Array {
  const prefix = parsePrefix(address.prefix);
  const local = ipToBytes(prefix);
  const attributes: Attribute[] = [bytes(IFA.LOCAL, local), bytes(IFA.ADDRESS, local)];
  if (address.broadcast !== undefined) attributes.push(bytes(IFA.BROADCAST, ipToBytes(parseIp(address.broadcast))));
  if (prefix.family === 6) attributes.push(u32(IFA.FLAGS, IFA_F_NODAD));
  const head = encodeHead(familyNumber(prefix.family), prefix.length, scopeOf(address.prefix), address.linkIndex);
  return concatBytes([head, encodeAttributes(attributes)]);
}

export interface DecodedAddress {
  linkIndex: number;
  prefix: string;
  scope: number;
  broadcast?: string;
  /**
   * An IPv6 address that is temporary (RFC 8981), deprecated (RFC 4862), or whose uniqueness is not proven: other hosts
   * do not know it, or not for long.
   */
  transient?: true;
}

/** Decodes the payload of RTM_NEWADDR and RTM_DELADDR; undefined for families other than IP. */
export function decodeAddress(payload: Uint8Array): DecodedAddress | undefined {
  const attributes = new Attributes(payload.subarray(8));
  const local = attributes.bytes(IFA.LOCAL) ?? attributes.bytes(IFA.ADDRESS);
  if (!local || (payload[0] !== AF_INET && payload[0] !== AF_INET6)) return undefined;
  const broadcast = attributes.bytes(IFA.BROADCAST);
  const flags = attributes.u32(IFA.FLAGS) ?? payload[2] ?? 0;
  const isTransient = payload[0] === AF_INET6 && Object.values(transientFlags).some((flag) => (flags & flag) !== 0);
  return {
    linkIndex: getU32(payload, 4),
    prefix: `${formatIp(ipFromBytes(local))}/${payload[1] ?? 0}`,
    scope: payload[3] ?? 0,
    ...(broadcast ? { broadcast: formatIp(ipFromBytes(broadcast)) } : {}),
    ...(isTransient ? { transient: true } : {}),
  };
}

/** Equivalent to: `ip address add PREFIX [broadcast B] dev LINK`. Throws EEXIST. */
export function addAddress(socket: NetlinkSocket, address: LinkAddress): void {
  const flags = NLM_F_CREATE | NLM_F_EXCL;
  const payload = encodeAddress(address);
  socket.execute({ type: RTM_NEWADDR, flags, payload, operation: 'ip address add', object: address.prefix });
}

/** Equivalent to: `ip address delete PREFIX dev LINK`. Throws EADDRNOTAVAIL. */
export function deleteAddress(socket: NetlinkSocket, address: LinkAddress): void {
  const payload = encodeAddress({ linkIndex: address.linkIndex, prefix: address.prefix });
  socket.execute({ type: RTM_DELADDR, payload, operation: 'ip address delete', object: address.prefix });
}

/** Payload of RTM_GETADDR; index 0 selects all links. */
export const encodeAddressesQuery = (index = 0): Uint8Array => encodeHead(0, 0, 0, index);

/** Equivalent to: `ip address show [dev LINK]`. The kernel filters by link (strict checking, Linux 5.0). */
export function listAddresses(socket: NetlinkSocket, index = 0): DecodedAddress[] {
  const payload = encodeAddressesQuery(index);
  const messages = socket.dump({ type: RTM_GETADDR, payload, operation: 'ip address show', object: 'addresses' });
  return messages
    .filter((message) => message.type === RTM_NEWADDR)
    .map((message) => decodeAddress(message.payload))
    .filter((address) => address !== undefined)
    .filter((address) => index === 0 || address.linkIndex === index);
}
