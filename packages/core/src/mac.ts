/** Ethernet addresses as lower-case `02:42:ac:11:00:02`. Pure. */
import { createHash } from 'node:crypto';
import { NetyardError } from './errors.ts';
import { formatIp, ipFromBytes } from './ip.ts';

/** Parses six bytes separated by `:` or `-`, or `0242.ac11.0002`. Throws `invalid` with Docker's message. */
export function parseMac(text: string): Uint8Array {
  if (!/^([0-9a-f]{2}([:-][0-9a-f]{2}){5}|[0-9a-f]{4}(\.[0-9a-f]{4}){2})$/i.test(text)) {
    throw new NetyardError('invalid', `${text} is not a valid mac address`);
  }
  return Uint8Array.from(text.match(/[0-9a-f]{2}/gi) ?? [], (byte) => Number.parseInt(byte, 16));
}

/** Whether an interface can have it: neither of a group (IEEE 802, the lowest bit of the first byte) nor zero. */
export const isUnicastMac = (bytes: Uint8Array): boolean =>
  ((bytes[0] ?? 0) & 1) === 0 && bytes.some((byte) => byte !== 0);

export function formatMac(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += `${text === '' ? '' : ':'}${byte < 16 ? '0' : ''}${byte.toString(16)}`;
  return text;
}

/** Docker's locally administered address derived from an IPv4 address: `02:42` and its four bytes. */
export function macFromIpv4(bytes: Uint8Array): string {
  return formatMac(Uint8Array.from([0x02, 0x42, ...bytes.subarray(0, 4)]));
}

/** A locally administered unicast address derived from an IPv6 address: from its SHA-256, since it has more bytes. */
export function macFromIpv6(bytes: Uint8Array): string {
  const [first = 0, ...rest] = createHash('sha256').update(bytes).digest().subarray(0, 6);
  return formatMac(Uint8Array.from([(first & 0xfc) | 0x02, ...rest]));
}

/** The IPv6 link-local address that the kernel derives from a MAC (modified EUI-64, RFC 4291 appendix A). */
export function linkLocalOfMac(mac: string): string {
  const [first = 0, ...rest] = parseMac(mac);
  const identifier = [first ^ 2, ...rest.slice(0, 2), 0xff, 0xfe, ...rest.slice(2)];
  return formatIp(ipFromBytes(Uint8Array.from([0xfe, 0x80, 0, 0, 0, 0, 0, 0, ...identifier])));
}
