/**
 * Reserves host ports: a bound socket that never listens keeps other programs from binding the port and answers no
 * packet. A relayed port does listen.
 */
import { NetyardError } from '@netyard/core';
import type { PortProtocol, PortReservation, RelayTarget } from '../contract.ts';
import { closeFile } from './calls.ts';
import { hasErrno } from './ffi/errno.ts';
import type { Relays } from './relay/relays.ts';
import { type BoundSocket, bindSocket, type SocketRequest } from './sockets.ts';

/**
 * Binds without listening; port 0 selects a free port. No equivalent command: a shell cannot hold a port. Throws
 * KernelError EADDRINUSE, EADDRNOTAVAIL, EACCES, EPROTONOSUPPORT (sctp without its module).
 */
export function reservePort(protocol: PortProtocol, address: string, port: number, relays: Relays): PortReservation {
  const socket = bindReserved({ protocol, address, port });
  let open = true;
  let relay: number | undefined;
  return {
    protocol,
    address,
    port: socket.port,
    relay(target: RelayTarget) {
      if (protocol === 'sctp') throw new NetyardError('internal', 'sctp is not relayed');
      if (!open) return;
      if (relay === undefined) relay = relays.open({ fd: socket.fd, protocol }, target);
      else relays.setTarget(relay, target);
    },
    close() {
      if (!open) return;
      open = false;
      if (relay !== undefined) relays.close(relay);
      closeFile(socket.fd);
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
