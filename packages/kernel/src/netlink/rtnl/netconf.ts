/** Forwarding and reverse path filter of all links in one dump, instead of one file each. See linux/netconf.h. */
import { hasErrno } from '../../system/ffi/errno.ts';
import { Attributes } from '../attribute.ts';
import type { NetlinkSocket } from '../socket.ts';
import { AF_INET, familyNumber } from './address.ts';

export const RTM_NEWNETCONF = 80;
const RTM_GETNETCONF = 82;
const NETCONFA = { IFINDEX: 1, FORWARDING: 2, RP_FILTER: 3 } as const;
/** NETCONFA_IFINDEX_ALL. */
export const allLinks = -1;

export interface Netconf {
  family: 4 | 6;
  /** `allLinks`, or -2 for the defaults of new links. */
  linkIndex: number;
  forwarding?: boolean;
  /** 0 off, 1 strict, 2 loose; IPv4 only. */
  rpFilter?: number;
}

/**
 * struct netconfmsg is one byte, padded to four. Undefined for families other than IP, and when no link index is given: a
 * setting of the whole namespace.
 */
export function decodeNetconf(payload: Uint8Array): Netconf | undefined {
  const attributes = new Attributes(payload.subarray(4));
  const linkIndex = attributes.s32(NETCONFA.IFINDEX);
  if ((payload[0] !== AF_INET && payload[0] !== familyNumber(6)) || linkIndex === undefined) return undefined;
  const forwarding = attributes.s32(NETCONFA.FORWARDING);
  const rpFilter = attributes.s32(NETCONFA.RP_FILTER);
  return {
    ...{ family: payload[0] === AF_INET ? 4 : 6, linkIndex },
    ...(forwarding === undefined ? {} : { forwarding: forwarding !== 0 }),
    ...(rpFilter === undefined ? {} : { rpFilter }),
  };
}

/** Equivalent to: `ip -FAMILY netconf show`. Empty when the kernel runs without the family. */
export function listNetconf(socket: NetlinkSocket, family: 4 | 6): Netconf[] {
  const payload = Uint8Array.of(familyNumber(family), 0, 0, 0);
  const request = { type: RTM_GETNETCONF, payload, operation: 'ip netconf show', object: `IPv${family}` };
  try {
    return socket
      .dump(request)
      .filter(({ type }) => type === RTM_NEWNETCONF)
      .flatMap((message) => decodeNetconf(message.payload) ?? [])
      .filter((entry) => entry.family === family);
  } catch (error) {
    if (hasErrno(error, 'EOPNOTSUPP')) return [];
    throw error;
  }
}
