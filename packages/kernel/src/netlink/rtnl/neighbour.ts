/** Permanent entries of the neighbour table (ARP, NDP) over rtnetlink. See ip-neighbour(8). */
import { formatIp, formatMac, ipFromBytes, ipToBytes, parseIp, parseMac } from '@netyard/core';
import { hasErrno } from '../../system/ffi/errno.ts';
import { Attributes, bytes, concatBytes, encodeAttributes, hostIsLittleEndian, u32, viewOf } from '../attribute.ts';
import { NLM_F_CREATE, NLM_F_REPLACE } from '../message.ts';
import type { NetlinkSocket } from '../socket.ts';
import { familyNumber } from './address.ts';

export const RTM_NEWNEIGH = 28;
export const RTM_DELNEIGH = 29;
export const RTM_GETNEIGH = 30;
const NDA_DST = 1;
const NDA_LLADDR = 2;
const NDA_IFINDEX = 8;
const NDA_PROTOCOL = 12;
const NUD_PERMANENT = 0x80;
const NTF_PROXY = 0x08;

export interface Neighbour {
  linkIndex: number;
  address: string;
  mac: string;
}

/** struct ndmsg and attributes: payload of RTM_NEWNEIGH, RTM_DELNEIGH, RTM_GETNEIGH. */
export function encodeNeighbour(neighbour: { linkIndex: number; address: string; mac?: string }): Uint8Array {
  const ip = parseIp(neighbour.address);
  const head = new Uint8Array(12);
  head[0] = familyNumber(ip.family);
  viewOf(head).setInt32(4, neighbour.linkIndex, hostIsLittleEndian);
  viewOf(head).setUint16(8, neighbour.mac === undefined ? 0 : NUD_PERMANENT, hostIsLittleEndian);
  const attributes = [bytes(NDA_DST, ipToBytes(ip))];
  if (neighbour.mac !== undefined) attributes.push(bytes(NDA_LLADDR, parseMac(neighbour.mac)));
  return concatBytes([head, encodeAttributes(attributes)]);
}

/** Equivalent to: `ip neighbour replace ADDRESS lladdr MAC dev LINK nud permanent`. */
export function replaceNeighbour(socket: NetlinkSocket, neighbour: Neighbour): void {
  const flags = NLM_F_CREATE | NLM_F_REPLACE;
  const payload = encodeNeighbour(neighbour);
  socket.execute({ type: RTM_NEWNEIGH, flags, payload, operation: 'ip neighbour replace', object: neighbour.address });
}

/** Equivalent to: `ip neighbour delete ADDRESS dev LINK`. Throws ENOENT. */
export function deleteNeighbour(socket: NetlinkSocket, neighbour: { linkIndex: number; address: string }): void {
  const { linkIndex, address } = neighbour;
  const payload = encodeNeighbour({ linkIndex, address });
  socket.execute({ type: RTM_DELNEIGH, payload, operation: 'ip neighbour delete', object: address });
}

export interface DecodedNeighbour {
  linkIndex: number;
  address: string;
  mac?: string;
  permanent: boolean;
}

/**
 * Decodes the payload of RTM_NEWNEIGH and RTM_DELNEIGH of the IP families; undefined for entries without an address.
 */
export function decodeNeighbour(payload: Uint8Array): DecodedNeighbour | undefined {
  const attributes = new Attributes(payload.subarray(12));
  const address = attributes.bytes(NDA_DST);
  const mac = attributes.bytes(NDA_LLADDR);
  if (address?.length !== 4 && address?.length !== 16) return undefined;
  return {
    linkIndex: viewOf(payload).getInt32(4, hostIsLittleEndian),
    address: formatIp(ipFromBytes(address)),
    permanent: (viewOf(payload).getUint16(8, hostIsLittleEndian) & NUD_PERMANENT) !== 0,
    ...(mac?.length === 6 ? { mac: formatMac(mac) } : {}),
  };
}

/** Equivalent to: `ip neighbour show dev LINK`. */
export function listNeighbours(socket: NetlinkSocket, linkIndex: number): DecodedNeighbour[] {
  const payload = concatBytes([new Uint8Array(12), encodeAttributes([u32(NDA_IFINDEX, linkIndex)])]);
  const request = { type: RTM_GETNEIGH, payload, operation: 'ip neighbour show', object: `link ${linkIndex}` };
  return socket
    .dump(request)
    .filter(({ type }) => type === RTM_NEWNEIGH)
    .flatMap((message) => decodeNeighbour(message.payload) ?? [])
    .filter((entry) => entry.linkIndex === linkIndex);
}

/** Equivalent to: `ip neighbour get ADDRESS dev LINK`; undefined when there is no entry. */
export function findNeighbour(
  socket: NetlinkSocket,
  neighbour: { linkIndex: number; address: string },
): DecodedNeighbour | undefined {
  try {
    const payload = encodeNeighbour({ linkIndex: neighbour.linkIndex, address: neighbour.address });
    const request = { type: RTM_GETNEIGH, payload, operation: 'ip neighbour get', object: neighbour.address };
    return decodeNeighbour(socket.query(request).payload);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

// Proxy entries are in a table of their own, of which the kernel reports no changes.

export interface NeighbourProxy {
  linkIndex: number;
  address: string;
  /** Absent in entries of kernels before 5.0, and of programs that set none. */
  protocol?: number | undefined;
}

/** struct ndmsg and attributes: payload of RTM_NEWNEIGH, RTM_DELNEIGH, RTM_GETNEIGH for one proxy entry. */
export function encodeNeighbourProxy({ linkIndex, address, protocol }: NeighbourProxy): Uint8Array {
  const attributes = [bytes(NDA_DST, ipToBytes(parseIp(address)))];
  if (protocol !== undefined) attributes.push(bytes(NDA_PROTOCOL, Uint8Array.of(protocol)));
  return concatBytes([proxyHeader(parseIp(address).family, linkIndex), encodeAttributes(attributes)]);
}

function proxyHeader(family: 0 | 4 | 6, linkIndex: number): Uint8Array {
  const head = new Uint8Array(12);
  head[0] = family === 0 ? 0 : familyNumber(family);
  viewOf(head).setInt32(4, linkIndex, hostIsLittleEndian);
  head[10] = NTF_PROXY;
  return head;
}

/** Equivalent to: `ip neighbour add proxy ADDRESS dev LINK protocol N`. Succeeds if the entry exists. */
export function addNeighbourProxy(socket: NetlinkSocket, proxy: NeighbourProxy): void {
  const payload = encodeNeighbourProxy(proxy);
  const request = { operation: 'ip neighbour add proxy', object: proxy.address };
  socket.execute({ type: RTM_NEWNEIGH, flags: NLM_F_CREATE | NLM_F_REPLACE, payload, ...request });
}

/** Equivalent to: `ip neighbour delete proxy ADDRESS dev LINK`. Throws ENOENT. */
export function deleteNeighbourProxy(socket: NetlinkSocket, { linkIndex, address }: NeighbourProxy): void {
  const payload = encodeNeighbourProxy({ linkIndex, address });
  socket.execute({ type: RTM_DELNEIGH, payload, operation: 'ip neighbour delete proxy', object: address });
}

/** Undefined for entries without an address. */
export function decodeNeighbourProxy(payload: Uint8Array): NeighbourProxy | undefined {
  const attributes = new Attributes(payload.subarray(12));
  const address = attributes.bytes(NDA_DST);
  const protocol = attributes.bytes(NDA_PROTOCOL)?.[0];
  if (address?.length !== 4 && address?.length !== 16) return undefined;
  const linkIndex = viewOf(payload).getInt32(4, hostIsLittleEndian);
  return { linkIndex, address: formatIp(ipFromBytes(address)), ...(protocol === undefined ? {} : { protocol }) };
}

/** Equivalent to: `ip neighbour show proxy`. */
export function listNeighbourProxies(socket: NetlinkSocket): NeighbourProxy[] {
  const request = {
    type: RTM_GETNEIGH,
    payload: proxyHeader(0, 0),
    operation: 'ip neighbour show proxy',
    object: 'all',
  };
  return socket
    .dump(request)
    .filter(({ type }) => type === RTM_NEWNEIGH)
    .flatMap((message) => decodeNeighbourProxy(message.payload) ?? []);
}

/** The entry of one address on one link; undefined when there is none. */
export function findNeighbourProxy(socket: NetlinkSocket, proxy: NeighbourProxy): NeighbourProxy | undefined {
  try {
    const payload = encodeNeighbourProxy({ linkIndex: proxy.linkIndex, address: proxy.address });
    const request = { type: RTM_GETNEIGH, payload, operation: 'ip neighbour get proxy', object: proxy.address };
    return decodeNeighbourProxy(socket.query(request).payload);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}
