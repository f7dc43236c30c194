/**
 * Sockets as descriptors: internet sockets opened inside any network namespace, bound or listening; and unix sockets to
 * be inherited by another program.
 */
import { ipToBytes, NetyardError, parseIp } from '@netyard/core';
import { checked, closeFile } from './calls.ts';
import { libc } from './ffi/libc.ts';
import { openInNetns } from './netns.ts';

const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const SOCK_NONBLOCK = 0o4000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_REUSEPORT = 15;
const IPPROTO_IPV6 = 41;
const IPPROTO_SCTP = 132;
const IPV6_V6ONLY = 26;
/**
 * Maximum length of a unix socket's path in bytes, without the terminating NUL: sizeof(struct sockaddr_un.sun_path) -
 * 1.
 */
export const maxUnixPathLength = 107;

/** struct sockaddr_in or sockaddr_in6; `family` first, in host order. Throws `invalid`. Pure. */
export function encodeSocketAddress(address: string, port: number): Uint8Array {
  if (!Number.isInteger(port) || port < 0 || port > 65535) throw new NetyardError('invalid', `invalid port: ${port}`);
  const ip = parseIp(address);
  const bytes = new Uint8Array(ip.family === 4 ? 16 : 28);
  const view = new DataView(bytes.buffer);
  const littleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;
  view.setUint16(0, ip.family === 4 ? AF_INET : AF_INET6, littleEndian);
  view.setUint16(2, port);
  bytes.set(ipToBytes(ip), ip.family === 4 ? 4 : 8);
  return bytes;
}

/** The port of a struct sockaddr_in or sockaddr_in6. Pure. */
export const decodeSocketPort = (bytes: Uint8Array): number => ((bytes[2] ?? 0) << 8) | (bytes[3] ?? 0);

export interface BoundSocket {
  fd: number;
  /** The requested port, or the one that the kernel chose for 0. */
  port: number;
}

export interface SocketRequest {
  protocol: 'tcp' | 'udp' | 'sctp';
  address: string;
  /** 0: any free port. */
  port: number;
  /**
   * Another socket may be bound to the same port of all addresses: over UDP if it has SO_REUSEADDR or SO_REUSEPORT, over
   * TCP if it has SO_REUSEPORT. This one then receives what is sent to its own address.
   */
  shared?: boolean;
}

/** A socket of this namespace, bound and not listening: the port is taken, and no packet is answered. */
export function bindSocket(request: SocketRequest, options: { reuseAddress?: boolean } = {}): BoundSocket {
  const address = encodeSocketAddress(request.address, request.port);
  const domain = address.length === 16 ? AF_INET : AF_INET6;
  const type = (request.protocol === 'udp' ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK;
  const object = `${request.protocol} ${request.address} port ${request.port}`;
  const fd = checked(
    libc().socket(domain, type, request.protocol === 'sctp' ? IPPROTO_SCTP : 0),
    'open socket for',
    object,
  );
  try {
    if (domain === AF_INET6) setFlag(fd, IPPROTO_IPV6, IPV6_V6ONLY, object);
    if (options.reuseAddress || request.shared) setFlag(fd, SOL_SOCKET, SO_REUSEADDR, object);
    if (request.shared) setFlag(fd, SOL_SOCKET, SO_REUSEPORT, object);
    checked(libc().bind(fd, address, address.length), 'bind', object);
    return { fd, port: request.port === 0 ? chosenPort(fd, object) : request.port };
  } catch (error) {
    closeFile(fd);
    throw error;
  }
}

function setFlag(fd: number, level: number, name: number, object: string): void {
  checked(libc().setsockopt(fd, level, name, new Uint8Array(new Int32Array([1]).buffer), 4), 'setsockopt', object);
}

function chosenPort(fd: number, object: string): number {
  const address = new Uint8Array(28);
  const length = new Uint8Array(new Int32Array([address.length]).buffer);
  checked(libc().getsockname(fd, address, length), 'getsockname', object);
  return decodeSocketPort(address);
}

/**
 * Opens a socket inside a namespace that can be served from outside it: `net.Server.listen({fd})` for TCP,
 * `dgram.Socket.bind({fd})` for UDP. Equivalent to: `nsenter --net=PATH socat -u TCP-LISTEN:PORT,bind=ADDRESS …`.
 * Throws KernelError EADDRINUSE, EADDRNOTAVAIL, EACCES.
 */
export function openListenerInNetns(netns: string | undefined, request: SocketRequest): BoundSocket {
  return openInNetns(netns, () => {
    const socket = bindSocket(request, { reuseAddress: request.protocol === 'tcp' });
    if (request.protocol === 'udp') return socket;
    try {
      checked(libc().listen(socket.fd, 511), 'listen', `${request.protocol} ${request.address} port ${socket.port}`);
      return socket;
    } catch (error) {
      closeFile(socket.fd);
      throw error;
    }
  });
}

/** A bound socket inside a namespace that connects to servers there: `dgram.Socket.bind({fd})`, `new net.Socket({fd})`. */
export function openSocketInNetns(netns: string, request: SocketRequest): BoundSocket {
  return openInNetns(netns, () => bindSocket(request));
}

/**
 * A listening unix socket as a blocking descriptor, for a program that inherits it. This process does not accept:
 * connections wait in the backlog for that program. Equivalent to: `systemd-socket-activate --listen=PATH PROGRAM`.
 * Throws `invalid` for a path of more than `maxUnixPathLength` bytes, KernelError EADDRINUSE when the path exists.
 */
export function openUnixListener(path: string): number {
  if (Buffer.byteLength(path) > maxUnixPathLength)
    throw new NetyardError('invalid', `path of a unix socket exceeds ${maxUnixPathLength} bytes: ${path}`);
  const address = new Uint8Array(2 + maxUnixPathLength + 1);
  address.set(new Uint8Array(new Uint16Array([AF_UNIX]).buffer));
  address.set(Buffer.from(path), 2);
  const fd = checked(libc().socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), 'open socket for', path);
  try {
    checked(libc().bind(fd, address, address.length), 'bind', path);
    checked(libc().listen(fd, 511), 'listen', path);
    return fd;
  } catch (error) {
    closeFile(fd);
    throw error;
  }
}
