/** Forwarding entries of VXLAN links over rtnetlink: the remote host that has a MAC. See bridge(8), `fdb`. */
import { formatIp, formatMac, ipFromBytes, ipToBytes, parseIp, parseMac } from '@netyard/core';
import { hasErrno } from '../../system/ffi/errno.ts';
import { Attributes, bytes, concatBytes, encodeAttributes, hostIsLittleEndian, viewOf } from '../attribute.ts';
import { NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE } from '../message.ts';
import type { NetlinkSocket } from '../socket.ts';
import { RTM_DELNEIGH, RTM_GETNEIGH, RTM_NEWNEIGH } from './neighbour.ts';

export const AF_BRIDGE = 7;
const NDA = { DST: 1, LLADDR: 2 } as const;
const NTF_SELF = 0x02;
const NUD_NOARP = 0x40;
const NUD_PERMANENT = 0x80;

export interface FdbEntry {
  linkIndex: number;
  mac: string;
  /** Address of the remote host. */
  remote: string;
}

export interface DecodedFdbEntry {
  linkIndex: number;
  mac: string;
  remote?: string;
  permanent: boolean;
}

/** struct ndmsg and attributes. */
export function encodeFdb(entry: Omit<FdbEntry, 'remote'> & { remote?: string }): Uint8Array {
  const head = new Uint8Array(12);
  head[0] = AF_BRIDGE;
  viewOf(head).setInt32(4, entry.linkIndex, hostIsLittleEndian);
  viewOf(head).setUint16(8, entry.remote === undefined ? 0 : NUD_NOARP | NUD_PERMANENT, hostIsLittleEndian);
  head[10] = NTF_SELF;
  const attributes = [bytes(NDA.LLADDR, parseMac(entry.mac))];
  if (entry.remote !== undefined) attributes.push(bytes(NDA.DST, ipToBytes(parseIp(entry.remote))));
  return concatBytes([head, encodeAttributes(attributes)]);
}

export function decodeFdb(payload: Uint8Array): DecodedFdbEntry | undefined {
  const attributes = new Attributes(payload.subarray(12));
  const mac = attributes.bytes(NDA.LLADDR);
  const remote = attributes.bytes(NDA.DST);
  if (mac?.length !== 6) return undefined;
  return {
    linkIndex: viewOf(payload).getInt32(4, hostIsLittleEndian),
    mac: formatMac(mac),
    permanent: (viewOf(payload).getUint16(8, hostIsLittleEndian) & NUD_PERMANENT) !== 0,
    ...(remote?.length === 4 || remote?.length === 16 ? { remote: formatIp(ipFromBytes(remote)) } : {}),
  };
}

/** Equivalent to: `bridge fdb add MAC dev LINK dst REMOTE`. Throws EEXIST. */
export function addFdb(socket: NetlinkSocket, entry: FdbEntry): void {
  executeFdb(socket, entry, 'add', NLM_F_CREATE | NLM_F_EXCL);
}

/** Equivalent to: `bridge fdb replace MAC dev LINK dst REMOTE`. */
export function replaceFdb(socket: NetlinkSocket, entry: FdbEntry): void {
  executeFdb(socket, entry, 'replace', NLM_F_CREATE | NLM_F_REPLACE);
}

function executeFdb(socket: NetlinkSocket, entry: FdbEntry, verb: string, flags: number): void {
  const payload = encodeFdb(entry);
  socket.execute({ type: RTM_NEWNEIGH, flags, payload, operation: `bridge fdb ${verb}`, object: entry.mac });
}

/** Equivalent to: `bridge fdb delete MAC dev LINK`. Throws ENOENT. */
export function deleteFdb(socket: NetlinkSocket, { linkIndex, mac }: Omit<FdbEntry, 'remote'>): void {
  const payload = encodeFdb({ linkIndex, mac });
  socket.execute({ type: RTM_DELNEIGH, payload, operation: 'bridge fdb delete', object: mac });
}

/** Equivalent to: `bridge fdb show dev LINK`, without entries that have no remote host. */
export function listFdb(socket: NetlinkSocket, linkIndex: number): DecodedFdbEntry[] {
  const head = new Uint8Array(12);
  head[0] = AF_BRIDGE;
  viewOf(head).setInt32(4, linkIndex, hostIsLittleEndian);
  const request = { type: RTM_GETNEIGH, payload: head, operation: 'bridge fdb show', object: `link ${linkIndex}` };
  return socket
    .dump(request)
    .filter(({ type }) => type === RTM_NEWNEIGH)
    .flatMap(({ payload }) => decodeFdb(payload) ?? [])
    .filter((entry) => entry.linkIndex === linkIndex && entry.remote !== undefined);
}

/** Equivalent to: `bridge fdb get MAC dev LINK self`; undefined when there is no entry. */
export function findFdb(
  socket: NetlinkSocket,
  { linkIndex, mac }: Omit<FdbEntry, 'remote'>,
): DecodedFdbEntry | undefined {
  try {
    const payload = encodeFdb({ linkIndex, mac });
    return decodeFdb(socket.query({ type: RTM_GETNEIGH, payload, operation: 'bridge fdb get', object: mac }).payload);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}
