/** The error queue of a socket (IP_RECVERR): which ICMP error arrived for it, and who sent it. See ip(7). */
import { formatIp, ipFromBytes } from '@netyard/core';
import { errnoName } from './ffi/errno.ts';
import { libc } from './ffi/libc.ts';
import { type ControlMessage, receiveMessage } from './message-buffer.ts';

const MSG_DONTWAIT = 0x40;
const MSG_ERRQUEUE = 0x2000;
const IPPROTO_IP = 0;
const IPPROTO_IPV6 = 41;
const IP_RECVERR = 11;
const IPV6_RECVERR = 25;
/** linux/errqueue.h */
const SO_EE_ORIGIN_ICMP = 2;
const SO_EE_ORIGIN_ICMP6 = 3;
const AF_INET = 2;
const AF_INET6 = 10;
const littleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

export interface QueuedError {
  errno: string;
  /** Absent for the kernel's own errors. */
  icmp?: { from: string; type: number; code: number; mtu?: number };
}

/** Errors of an IPv4 or IPv6 socket are queued with their origin from now on. */
export function queueErrors(fd: number, family: 4 | 6): void {
  const on = new Uint8Array(new Int32Array([1]).buffer);
  const [level, name] = family === 4 ? [IPPROTO_IP, IP_RECVERR] : [IPPROTO_IPV6, IPV6_RECVERR];
  libc().setsockopt(fd, level, name, on, on.length); // without it errors lack their origin, nothing else
}

/** The oldest queued error; undefined when there is none. */
export function readQueuedError(fd: number): QueuedError | undefined {
  const message = receiveMessage(fd, MSG_ERRQUEUE | MSG_DONTWAIT);
  return message && decodeQueuedError(message.control);
}

/** struct sock_extended_err, then the struct sockaddr of the sender. Pure. */
export function decodeQueuedError(control: readonly ControlMessage[]): QueuedError | undefined {
  const found = control.find(
    ({ level, type }) =>
      (level === IPPROTO_IP && type === IP_RECVERR) || (level === IPPROTO_IPV6 && type === IPV6_RECVERR),
  );
  if (found === undefined || found.data.length < 16) return undefined;
  const { data } = found;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const errno = errnoName(view.getUint32(0, littleEndian));
  const [origin, type, code] = [view.getUint8(4), view.getUint8(5), view.getUint8(6)];
  const from = senderOf(data.subarray(16));
  if ((origin !== SO_EE_ORIGIN_ICMP && origin !== SO_EE_ORIGIN_ICMP6) || from === undefined) return { errno };
  const mtu = errno === 'EMSGSIZE' ? view.getUint32(8, littleEndian) : 0;
  return { errno, icmp: { from, type, code, ...(mtu === 0 ? {} : { mtu }) } };
}

function senderOf(address: Uint8Array): string | undefined {
  if (address.length < 8) return undefined;
  const family = new DataView(address.buffer, address.byteOffset).getUint16(0, littleEndian);
  if (family === AF_INET) return formatIp(ipFromBytes(address.slice(4, 8)));
  return family === AF_INET6 && address.length >= 24 ? formatIp(ipFromBytes(address.slice(8, 24))) : undefined;
}
