/** Sockets of the relay to the target of a port. */
import type { RelayTarget } from '../../contract.ts';
import { closeFile } from '../calls.ts';
import { errnoOf } from '../ffi/errno.ts';
import { libc } from '../ffi/libc.ts';
import { encodeSocketAddress } from '../sockets.ts';

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_CLOEXEC = 0o2000000;
const SOCK_NONBLOCK = 0o4000;
/** Types of sockets. */
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
/** Sockets of the relay do not block, and no other program inherits them. */
export const SOCK_FLAGS = SOCK_CLOEXEC | SOCK_NONBLOCK;

/** A socket that is connected or, of a stream, connects; or -1. */
export function connectTo({ address, port }: RelayTarget, type: number): number {
  const bytes = encodeSocketAddress(address, port);
  const fd = libc().socket(bytes.length === 16 ? AF_INET : AF_INET6, type | SOCK_FLAGS, 0);
  if (fd < 0) return fd;
  if (libc().connect(fd, bytes, bytes.length) === 0 || libc().errno() === errnoOf('EINPROGRESS')) return fd;
  closeFile(fd);
  return -1;
}
