/** Encodes and decodes netlink messages: header, error and acknowledgement. Pure. See linux/netlink.h, RFC 3549. */
import { Attributes, align4, getU16, getU32, putU16, putU32 } from './attribute.ts';

export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;
export const NLMSG_OVERRUN = 4;

export const NLM_F_REQUEST = 0x1;
export const NLM_F_ACK = 0x4;
export const NLM_F_DUMP_INTR = 0x10;
export const NLM_F_DUMP = 0x300;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;

const NLMSGERR_ATTR_MSG = 1;
const headerLength = 16;

export interface NetlinkMessage {
  type: number;
  flags: number;
  sequence: number;
  payload: Uint8Array;
  /**
   * Of a received message, nlmsg_pid: the socket to which it answers; in a notification the socket that requested the
   * change, 0 for the kernel itself.
   */
  portId?: number;
}

/** struct nlmsghdr and payload; the kernel fills in the port id. */
export function encodeMessage(message: NetlinkMessage): Uint8Array {
  const data = new Uint8Array(align4(headerLength + message.payload.length));
  putU32(data, 0, headerLength + message.payload.length);
  putU16(data, 4, message.type);
  putU16(data, 6, message.flags);
  putU32(data, 8, message.sequence);
  data.set(message.payload, headerLength);
  return data;
}

/** The messages of one datagram. Payloads are views into `data`: copy them to keep them. */
export function decodeMessages(data: Uint8Array): NetlinkMessage[] {
  const messages: NetlinkMessage[] = [];
  let offset = 0;
  while (offset + headerLength <= data.length) {
    const length = getU32(data, offset);
    if (length < headerLength || offset + length > data.length) break;
    messages.push({
      type: getU16(data, offset + 4),
      flags: getU16(data, offset + 6),
      sequence: getU32(data, offset + 8),
      portId: getU32(data, offset + 12),
      payload: data.subarray(offset + headerLength, offset + length),
    });
    offset += align4(length);
  }
  return messages;
}

export interface Acknowledgement {
  /** 0: success. */
  errno: number;
  /** The kernel's own message, when it sends one (extended acknowledgement). */
  text?: string;
}

/**
 * Decodes the payload of NLMSG_ERROR, struct nlmsgerr: negative errno, the request's header and, unless capped, its
 * payload.
 */
export function decodeAcknowledgement(message: NetlinkMessage): Acknowledgement {
  const { payload, flags } = message;
  if (payload.length < 4) return { errno: 0 };
  const errno = 0 - (getU32(payload, 0) | 0);
  if ((flags & NLM_F_ACK_TLVS) === 0) return { errno };
  const requestLength = flags & NLM_F_CAPPED ? headerLength : getU32(payload, 4);
  const extra = new Attributes(payload.subarray(4 + align4(requestLength)));
  const text = extra.text(NLMSGERR_ATTR_MSG);
  return text === undefined ? { errno } : { errno, text };
}
