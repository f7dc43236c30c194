/** Echo request and reply of ICMP (RFC 792) and ICMPv6 (RFC 4443). Pure. */
import { viewOf } from '../attribute.ts';
import { internetChecksum } from './checksum.ts';

const headerLength = 8;
const types = { 4: { request: 8, reply: 0 }, 6: { request: 128, reply: 129 } } as const;

/** Sequence number 1, with `dataLength` bytes of zeros. The kernel computes the checksum of ICMPv6. */
export function encodeEchoRequest(family: 4 | 6, id: number, dataLength: number): Uint8Array {
  const message = new Uint8Array(headerLength + dataLength);
  const view = viewOf(message);
  view.setUint8(0, types[family].request);
  view.setUint16(4, id);
  view.setUint16(6, 1);
  if (family === 4) view.setUint16(2, internetChecksum([message]));
  return message;
}

/** A raw socket of IPv4 receives the IP header too, one of IPv6 does not. */
export function isEchoReply(packet: Uint8Array, family: 4 | 6, id: number): boolean {
  const message = family === 4 ? packet.subarray(((packet[0] ?? 0) & 0x0f) * 4) : packet;
  return message.length >= headerLength && message[0] === types[family].reply && viewOf(message).getUint16(4) === id;
}
