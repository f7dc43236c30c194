/**
 * Reserves host ports: a bound socket that never listens keeps other programs from binding the port and answers no
 * packet.
 */
import type { PortProtocol, PortReservation } from '../contract.ts';
import { closeFile } from './calls.ts';
import { hasErrno } from './ffi/errno.ts';
import { type BoundSocket, bindSocket, type SocketRequest } from './sockets.ts';

/**
 * Binds without listening; port 0 selects a free port. No equivalent command: a shell cannot hold a port. Throws
 * KernelError EADDRINUSE, EADDRNOTAVAIL, EACCES, EPROTONOSUPPORT (sctp without its module).
 */
export function reservePort(protocol: PortProtocol, address: string, port: number): PortReservation {
  const socket = bindReserved({ protocol, address, port });
  let open = true;
  return {
    protocol,
    address,
    port: socket.port,
    close() {
      if (open) closeFile(socket.fd);
      open = false;
    },
  };
}

/**
 * Without SO_REUSEADDR no other socket can share the port. But connections of a former owner in TIME_WAIT would make
 * bind(2) fail for a minute, so TCP is retried with it: a listening owner still causes EADDRINUSE.
 */
function bindReserved(request: SocketRequest): BoundSocket {
  try {
    return bindSocket(request);
  } catch (error) {
    if (request.protocol !== 'tcp' || !hasErrno(error, 'EADDRINUSE')) throw error;
    return bindSocket(request, { reuseAddress: true });
  }
}
