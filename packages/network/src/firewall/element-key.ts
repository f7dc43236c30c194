/** Keys of set elements in the kernel's encoding, as its events have them. Pure. */
import { ipToBytes, parseIp, parseMac } from '@netyard/core';

/** IFNAMSIZ of linux/if.h. */
const nameLength = 16;

/**
 * The fields of a concatenation are padded to four bytes (nft(8), "concatenations").
 *
 * @param key interface names, MACs, IP addresses and hexadecimal numbers, in nft's syntax; of a prefix only the first
 *   address is encoded
 * @param numberLength bytes of each number
 */
export const encodeElementKey = (key: string, numberLength = 0): Buffer =>
  Buffer.concat(key.split(' . ').map((part) => pad(encodePart(part, numberLength))));

function pad(value: Uint8Array): Uint8Array {
  if (value.length % 4 === 0) return value;
  const padded = new Uint8Array(value.length + 4 - (value.length % 4));
  padded.set(value);
  return padded;
}

function encodePart(part: string, numberLength: number): Uint8Array {
  if (part.startsWith('"')) return encodeName(part.slice(1, -1));
  if (part.startsWith('0x')) return Buffer.from(part.slice(2).padStart(numberLength * 2, '0'), 'hex');
  if (/^(?:[0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(part)) return parseMac(part);
  return ipToBytes(parseIp(part.replace(/\/.*$/, '')));
}

function encodeName(name: string): Buffer {
  const encoded = Buffer.alloc(nameLength);
  encoded.write(name);
  return encoded;
}

/** The interface whose name the key begins with. */
export function linkOfElementKey(key: Uint8Array): string {
  const name = key.subarray(0, nameLength);
  const end = name.indexOf(0);
  return Buffer.from(end < 0 ? name : name.subarray(0, end)).toString();
}
