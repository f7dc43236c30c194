/** Sockets of a probe: opened in any namespace, bound to a port before anything is sent. See socket(7), raw(7), icmp(7). */
import { randomInt } from 'node:crypto';
import { formatIp, ipFromBytes } from '@netyard/core';
import { checked, closeFile } from './calls.ts';
import { queueErrors } from './error-queue.ts';
import { libc } from './ffi/libc.ts';
import { openInNetns } from './netns.ts';
import { bindSocket, encodeSocketAddress } from './sockets.ts';

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const SOCK_NONBLOCK = 0o4000;
const SOL_SOCKET = 1;
const SO_ERROR = 4;
const SOL_RAW = 255;
const IPPROTO_IP = 0;
const IPPROTO_ICMP = 1;
const IPPROTO_IPV6 = 41;
const IPPROTO_ICMPV6 = 58;
/** linux/icmp.h, linux/icmpv6.h */
const ICMP_FILTER = 1;
const ICMP6_FILTER = 1;
const ICMP_ECHOREPLY = 0;
const ICMPV6_ECHO_REPLY = 129;
const IP_MTU_DISCOVER = 10;
const IPV6_MTU_DISCOVER = 23;
const IPV6_DONTFRAG = 62;
const PMTUDISC_PROBE = 3;

export interface ProbeSocket {
  fd: number;
  /** Port, or identifier of echo messages. */
  id: number;
}

export interface ProbeSocketRequest {
  ns?: string;
  family: 4 | 6;
  protocol: 'tcp' | 'udp' | 'icmp';
  source?: string;
  dontFragment: boolean;
}

/** Throws KernelError, such as EADDRNOTAVAIL for the source. */
export function openProbeSocket(request: ProbeSocketRequest): ProbeSocket {
  const { ns, family, protocol, source, dontFragment } = request;
  const socket = openInNetns(ns, () =>
    protocol === 'icmp' ? openEchoSocket(family, source) : openPortSocket(family, protocol, source),
  );
  try {
    queueErrors(socket.fd, family);
    if (dontFragment) setDontFragment(socket.fd, family);
    return socket;
  } catch (error) {
    closeFile(socket.fd);
    throw error;
  }
}

function openPortSocket(family: 4 | 6, protocol: 'tcp' | 'udp', source = family === 4 ? '0.0.0.0' : '::'): ProbeSocket {
  const { fd, port } = bindSocket({ protocol, address: source, port: 0 });
  return { fd, id: port };
}

/** A raw socket: those for `ping` (SOCK_DGRAM) are restricted by net.ipv4.ping_group_range. Receives echo replies only. */
function openEchoSocket(family: 4 | 6, source: string | undefined): ProbeSocket {
  const [domain, protocol] = family === 4 ? [AF_INET, IPPROTO_ICMP] : [AF_INET6, IPPROTO_ICMPV6];
  const fd = checked(libc().socket(domain, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol), 'open', 'raw socket');
  try {
    const blocked = new Uint32Array(family === 4 ? 1 : 8).fill(0xffffffff);
    const reply = family === 4 ? ICMP_ECHOREPLY : ICMPV6_ECHO_REPLY;
    blocked[reply >> 5] = ~(1 << (reply & 31));
    const filter = new Uint8Array(blocked.buffer);
    const [level, name] = family === 4 ? [SOL_RAW, ICMP_FILTER] : [IPPROTO_ICMPV6, ICMP6_FILTER];
    checked(libc().setsockopt(fd, level, name, filter, filter.length), 'setsockopt', 'raw socket');
    if (source !== undefined) {
      const address = encodeSocketAddress(source, 0);
      checked(libc().bind(fd, address, address.length), 'bind', source);
    }
    return { fd, id: randomInt(1, 0x10000) };
  } catch (error) {
    closeFile(fd);
    throw error;
  }
}

function setDontFragment(fd: number, family: 4 | 6): void {
  const [level, name] = family === 4 ? [IPPROTO_IP, IP_MTU_DISCOVER] : [IPPROTO_IPV6, IPV6_MTU_DISCOVER];
  setOption(fd, level, name, [PMTUDISC_PROBE]);
  if (family === 6) setOption(fd, IPPROTO_IPV6, IPV6_DONTFRAG, [1]);
}

function setOption(fd: number, level: number, name: number, values: number[]): void {
  const bytes = new Uint8Array(new Int32Array(values).buffer);
  checked(libc().setsockopt(fd, level, name, bytes, bytes.length), 'setsockopt', 'probe');
}

/** errno of the last asynchronous error, which is cleared; 0 without one. */
export function takeSocketError(fd: number): number {
  const value = new Int32Array(1);
  const length = new Uint8Array(new Uint32Array([4]).buffer);
  checked(libc().getsockopt(fd, SOL_SOCKET, SO_ERROR, new Uint8Array(value.buffer), length), 'getsockopt', 'probe');
  return value[0] ?? 0;
}

/** Source address of a connected socket; undefined before the kernel chose one. */
export function sourceOf(fd: number, family: 4 | 6): string | undefined {
  const address = new Uint8Array(28);
  const length = new Uint8Array(new Uint32Array([address.length]).buffer);
  checked(libc().getsockname(fd, address, length), 'getsockname', 'probe');
  const ip = address.slice(...(family === 4 ? [4, 8] : [8, 24]));
  return ip.every((byte) => byte === 0) ? undefined : formatIp(ipFromBytes(ip));
}
