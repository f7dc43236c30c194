/** Announces addresses of a link to its neighbours: ARP announcements (RFC 5227) and unsolicited advertisements (RFC 4861). */
import { parseIp } from '@netyard/core';
import type { AnnounceRequest } from '../../contract.ts';
import { checked, closeFile } from '../../system/calls.ts';
import { libc } from '../../system/ffi/libc.ts';
import { linkAddress, openPacketSocket } from '../../system/packet-socket.ts';
import { etherType } from './match.ts';
import { allNodesMac, encodeAdvertisement, encodeArpAnnouncement } from './neighbour-packets.ts';
import { findEthernetLink } from './solicit.ts';

const MSG_DONTWAIT = 0x40;
const broadcast = new Uint8Array(6).fill(0xff);

/** See `Kernel.announceAddresses`. */
export function announceAddresses({ ns, link: name, addresses }: AnnounceRequest): void {
  const link = findEthernetLink(ns, name);
  // Without a protocol the socket receives nothing (packet(7)).
  const fd = openPacketSocket(ns, { type: 'datagram', protocol: 0, linkIndex: link.index, receiveBuffer: 0 });
  try {
    for (const address of addresses) {
      const ip = parseIp(address);
      const [protocol, mac, packet] =
        ip.family === 4
          ? [etherType.arp, broadcast, encodeArpAnnouncement(link.mac, ip)]
          : [etherType.ip6, allNodesMac, encodeAdvertisement(link.mac, ip)];
      const to = linkAddress({ protocol, linkIndex: link.index, mac });
      checked(libc().sendto(fd, packet, packet.length, MSG_DONTWAIT, to, to.length), 'arping', address);
    }
  } finally {
    closeFile(fd);
  }
}
