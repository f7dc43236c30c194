/** ARP packets (RFC 826) and neighbour solicitations and advertisements (RFC 4861), without Ethernet header. Pure. */
import { type Ip, ipToBytes } from '@netyard/core';
import { concatBytes, viewOf } from '../attribute.ts';
import { internetChecksum } from './checksum.ts';
import { etherType, protocolNumber } from './match.ts';

const ARP_REQUEST = 1;
const ARP_REPLY = 2;
const arpLength = 28;
const ipv6Header = 40;
const solicitationLength = 24;
const NEIGHBOUR_SOLICITATION = 135;
const NEIGHBOUR_ADVERTISEMENT = 136;
const OPTION_TARGET_LINK_LAYER = 2;
/** RFC 4861, 7.1: proof that no router forwarded the packet. */
const hopLimit = 255;

const equal = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

/** A request without sender address. */
export const encodeArpProbe = (mac: Uint8Array, target: Ip): Uint8Array => encodeArpRequest(mac, undefined, target);

/** A request of the owner of an address for this address: neighbours who know another MAC for it take this one. */
export const encodeArpAnnouncement = (mac: Uint8Array, own: Ip): Uint8Array => encodeArpRequest(mac, own, own);

function encodeArpRequest(mac: Uint8Array, sender: Ip | undefined, target: Ip): Uint8Array {
  const packet = new Uint8Array(arpLength);
  const view = viewOf(packet);
  view.setUint16(0, 1); // Ethernet
  view.setUint16(2, etherType.ip);
  packet.set([6, 4], 4); // lengths of the addresses
  view.setUint16(6, ARP_REQUEST);
  packet.set(mac, 8);
  if (sender !== undefined) packet.set(ipToBytes(sender), 14);
  packet.set(ipToBytes(target), 24);
  return packet;
}

/** The sender's MAC if the packet is a reply for the address. */
export function answeredArp(packet: Uint8Array, ip: Ip): Uint8Array | undefined {
  if (packet.length < arpLength || viewOf(packet).getUint16(6) !== ARP_REPLY) return undefined;
  return equal(packet.subarray(14, 18), ipToBytes(ip)) ? packet.slice(8, 14) : undefined;
}

/** ff02::1:ffXX:XXXX */
const solicitedNode = (target: Ip): Uint8Array =>
  Uint8Array.from([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, ...ipToBytes(target).subarray(13)]);

/** Ethernet group of the solicited-node address (RFC 2464). */
export const solicitedMac = (target: Ip): Uint8Array =>
  Uint8Array.from([0x33, 0x33, ...solicitedNode(target).subarray(12)]);

/** An IPv6 packet from `::`. */
export function encodeSolicitation(target: Ip): Uint8Array {
  const message = new Uint8Array(solicitationLength);
  message[0] = NEIGHBOUR_SOLICITATION;
  message.set(ipToBytes(target), 8);
  return encodeIcmp6(message, new Uint8Array(16), solicitedNode(target));
}

/** ff02::1, and its Ethernet group (RFC 2464). */
const allNodes = Uint8Array.from([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
export const allNodesMac = Uint8Array.from([0x33, 0x33, ...allNodes.subarray(12)]);

/** Bit O of the flags: neighbours who know another MAC for the address take this one. */
const OVERRIDE = 0x20;

/** An unsolicited advertisement of an own address, to all nodes (RFC 4861, 7.2.6). */
export function encodeAdvertisement(mac: Uint8Array, own: Ip): Uint8Array {
  const message = new Uint8Array(solicitationLength + 8);
  message[0] = NEIGHBOUR_ADVERTISEMENT;
  message[4] = OVERRIDE;
  message.set(ipToBytes(own), 8);
  message.set([OPTION_TARGET_LINK_LAYER, 1, ...mac], solicitationLength); // 1: eight bytes
  return encodeIcmp6(message, ipToBytes(own), allNodes);
}

/** The IPv6 packet of a message, whose checksum is set. */
function encodeIcmp6(message: Uint8Array, from: Uint8Array, to: Uint8Array): Uint8Array {
  const header = new Uint8Array(ipv6Header);
  header[0] = 6 << 4;
  viewOf(header).setUint16(4, message.length);
  header.set([protocolNumber.icmp6, hopLimit], 6);
  header.set(from, 8);
  header.set(to, 24);
  const pseudoHeader = new Uint8Array(8); // length and next header, behind the addresses (RFC 8200, 8.1)
  viewOf(pseudoHeader).setUint32(0, message.length);
  pseudoHeader[7] = protocolNumber.icmp6;
  viewOf(message).setUint16(2, internetChecksum([header.subarray(8), pseudoHeader, message]));
  return concatBytes([header, message]);
}

/** The MAC in an advertisement of the address: that of its option, else that of the frame's sender. */
export function answeredNd(packet: Uint8Array, ip: Ip, sender: Uint8Array): Uint8Array | undefined {
  const message = packet.subarray(ipv6Header);
  if (message.length < solicitationLength || message[0] !== NEIGHBOUR_ADVERTISEMENT) return undefined;
  if (!equal(message.subarray(8, 24), ipToBytes(ip))) return undefined;
  const option = message.subarray(solicitationLength);
  return option.length >= 8 && option[0] === OPTION_TARGET_LINK_LAYER ? option.slice(2, 8) : sender;
}
