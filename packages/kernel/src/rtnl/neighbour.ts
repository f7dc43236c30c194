/** Entries of the neighbour table (ARP, NDP) over rtnetlink: permanent ones. See ip-neighbour(8). */
import { formatMac, ipToBytes, parseIp, parseMac } from '@netyard/core';
import { hasErrno } from '../ffi/errno.ts';
import { Attributes, bytes, concatBytes, encodeAttributes, hostIsLittleEndian, viewOf } from '../netlink/attribute.ts';
import { NLM_F_CREATE, NLM_F_REPLACE } from '../netlink/message.ts';
import type { NetlinkSocket } from '../netlink/socket.ts';
import { familyNumber } from './address.ts';

const RTM_NEWNEIGH = 28;
const RTM_DELNEIGH = 29;
const RTM_GETNEIGH = 30;
const NDA_DST = 1;
const NDA_LLADDR = 2;
const NUD_PERMANENT = 0x80;

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

/** Twin: `ip neighbour replace ADDRESS lladdr MAC dev LINK nud permanent`. */
export function replaceNeighbour(socket: NetlinkSocket, neighbour: Neighbour): void {
  const flags = NLM_F_CREATE | NLM_F_REPLACE;
  const payload = encodeNeighbour(neighbour);
  socket.order({ type: RTM_NEWNEIGH, flags, payload, operation: 'ip neighbour replace', object: neighbour.address });
}

/** Twin: `ip neighbour delete ADDRESS dev LINK`. Throws ENOENT. */
export function deleteNeighbour(socket: NetlinkSocket, neighbour: { linkIndex: number; address: string }): void {
  const { linkIndex, address } = neighbour;
  const payload = encodeNeighbour({ linkIndex, address });
  socket.order({ type: RTM_DELNEIGH, payload, operation: 'ip neighbour delete', object: address });
}

/** Twin: `ip neighbour get ADDRESS dev LINK`; undefined when there is no entry. */
export function findNeighbour(
  socket: NetlinkSocket,
  neighbour: { linkIndex: number; address: string },
): { mac?: string; permanent: boolean } | undefined {
  try {
    const payload = encodeNeighbour({ linkIndex: neighbour.linkIndex, address: neighbour.address });
    const request = { type: RTM_GETNEIGH, payload, operation: 'ip neighbour get', object: neighbour.address };
    const answer = socket.ask(request).payload;
    const mac = new Attributes(answer.subarray(12)).bytes(NDA_LLADDR);
    const permanent = (viewOf(answer).getUint16(8, hostIsLittleEndian) & NUD_PERMANENT) !== 0;
    return { permanent, ...(mac?.length === 6 ? { mac: formatMac(mac) } : {}) };
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}
