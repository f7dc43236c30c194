/** Host ports held so that nobody else can take them: bound, never listening, so that no packet is answered. */
import type { PortProtocol, PortReservation } from '../contract.ts';
import { closeFile } from './calls.ts';
import { hasErrno } from './ffi/errno.ts';
import { type BoundSocket, bindSocket, type SocketRequest } from './sockets.ts';

/**
 * Binds without listening; port 0 takes a free one. EquivalentCommand: none, a shell cannot hold a port.
 * Throws KernelError EADDRINUSE, EADDRNOTAVAIL, EACCES, EPROTONOSUPPORT (sctp without its module).
 */
export function reservePort(protocol: PortProtocol, address: string, port: number): PortReservation {
  const socket = bindHeld({ protocol, address, port });
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
 * Bound without SO_REUSEADDR nobody can share the port. But TCP connections of a former owner that linger in
 * TIME_WAIT would refuse that for a minute: then it is tried with, which a listening owner refuses all the same.
 */
function bindHeld(request: SocketRequest): BoundSocket {
  try {
    return bindSocket(request);
  } catch (error) {
    if (request.protocol !== 'tcp' || !hasErrno(error, 'EADDRINUSE')) throw error;
    return bindSocket(request, { reuseAddress: true });
  }
}
