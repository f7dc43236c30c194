/** Keys of set elements in the kernel's encoding, as its events have them. Pure. */
import { ipToBytes, parseIp } from '@netyard/core';

/** IFNAMSIZ of linux/if.h. */
const nameLength = 16;

/** @param key interface names and IPv4 addresses, in nft's syntax; of a prefix only the first address is encoded */
export const encodeElementKey = (key: string): Buffer => Buffer.concat(key.split(' . ').map(encodePart));

function encodePart(part: string): Uint8Array {
  if (!part.startsWith('"')) return ipToBytes(parseIp(part.replace(/\/.*$/, '')));
  const name = Buffer.alloc(nameLength);
  name.write(part.slice(1, -1));
  return name;
}
