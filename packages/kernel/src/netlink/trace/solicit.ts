/**
 * Which MACs answer for an address on a link: an ARP probe (RFC 5227) or a neighbour solicitation from the unspecified
 * address (RFC 4862). Both are what a host sends before it uses an address, so no host enters the sender in its table.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { formatMac, type Ip, parseIp, parseMac } from '@netyard/core';
import type { SolicitRequest } from '../../packet-trace.ts';
import { checked, closeFile } from '../../system/calls.ts';
import { errnoOf, kernelError } from '../../system/ffi/errno.ts';
import { libc } from '../../system/ffi/libc.ts';
import { receiveMessage } from '../../system/message-buffer.ts';
import { linkAddress, openPacketSocket } from '../../system/packet-socket.ts';
import { findLink } from '../rtnl/link.ts';
import { NETLINK_ROUTE, NetlinkSocket } from '../socket.ts';
import { encodeAdvertisementFilter } from './filter.ts';
import { etherType } from './match.ts';
import { answeredArp, answeredNd, encodeArpProbe, encodeSolicitation, solicitedMac } from './neighbour-packets.ts';
import { takeUpTo } from './take.ts';

const MSG_DONTWAIT = 0x40;
const defaultWaitMs = 300;
const receiveBuffer = 256 << 10;
/** More than the buffer holds. */
const mostMessages = 2048;
const broadcast = new Uint8Array(6).fill(0xff);

/** See `PacketTracing.solicitNeighbours`. */
export async function solicitNeighbours(request: SolicitRequest): Promise<string[]> {
  const { ns, waitMs = defaultWaitMs } = request;
  const ip = parseIp(request.address);
  const link = findEthernetLink(ns, request.link);
  const protocol = ip.family === 4 ? etherType.arp : etherType.ip6;
  const filter = ip.family === 4 ? {} : { filter: encodeAdvertisementFilter() };
  const fd = openPacketSocket(ns, { type: 'datagram', protocol, linkIndex: link.index, receiveBuffer, ...filter });
  try {
    const packet = ip.family === 4 ? encodeArpProbe(link.mac, ip) : encodeSolicitation(ip);
    const mac = ip.family === 4 ? broadcast : solicitedMac(ip);
    const to = linkAddress({ protocol, linkIndex: link.index, mac });
    checked(libc().sendto(fd, packet, packet.length, MSG_DONTWAIT, to, to.length), 'arping', request.address);
    await pause(waitMs);
    return readAnswers(fd, ip);
  } finally {
    closeFile(fd);
  }
}

/** Throws ENODEV for a link without a MAC. */
export function findEthernetLink(ns: string | undefined, name: string): { index: number; mac: Uint8Array } {
  const socket = NetlinkSocket.open(NETLINK_ROUTE, { ns });
  try {
    const link = findLink(socket, name);
    if (link?.mac === undefined) throw kernelError(errnoOf('ENODEV'), 'arping', socket.qualify(name));
    return { index: link.index, mac: parseMac(link.mac) };
  } finally {
    socket.close();
  }
}

/** In the order of their answers, without duplicates. */
function readAnswers(fd: number, ip: Ip): string[] {
  const answers = takeUpTo(mostMessages, () => {
    const message = receiveMessage(fd, MSG_DONTWAIT);
    if (message === undefined) return libc().errno() === errnoOf('EINTR') ? [] : undefined;
    const sender = message.name.slice(12, 18); // struct sockaddr_ll
    const mac = ip.family === 4 ? answeredArp(message.data, ip) : answeredNd(message.data, ip, sender);
    return mac === undefined ? [] : [formatMac(mac)];
  });
  return [...new Set(answers.flat())];
}
