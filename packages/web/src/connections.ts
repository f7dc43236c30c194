/**
 * Connections of clients that have shown no session yet are few, and the oldest of them makes room for a new one: no
 * program without a session keeps others from the page. The oldest one is taken from the address with the most. Those with
 * a session do not count here, so nothing that a browser has open is closed.
 */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/** Of all clients without a session. */
export const maximumUntrusted = 48;
/** How long a client may stay without a session: the page's files have to arrive before. */
const UNTRUSTED_MS = 60_000;

interface UntrustedClient {
  socket: Socket;
  timer: NodeJS.Timeout;
}

export class Connections {
  /** By address and port of the client; oldest first. */
  readonly #untrusted = new Map<string, UntrustedClient>();

  /** Connections before TLS count, too. */
  watch(server: Server): void {
    server.on('connection', (socket: Socket) => this.#add(socket));
  }

  /** A request on this connection has a session. */
  trust(socket: Socket): void {
    this.#delete(keyOf(socket));
  }

  #add(socket: Socket): void {
    const key = keyOf(socket);
    const timer = setTimeout(() => socket.destroy(), UNTRUSTED_MS);
    timer.unref();
    this.#untrusted.set(key, { socket, timer });
    socket.once('close', () => {
      if (this.#untrusted.get(key)?.socket === socket) this.#delete(key);
    });
    if (this.#untrusted.size > maximumUntrusted) this.#deleteOne();
  }

  #delete(key: string): void {
    clearTimeout(this.#untrusted.get(key)?.timer);
    this.#untrusted.delete(key);
  }

  #deleteOne(): void {
    const byAddress = Map.groupBy(this.#untrusted.values(), ({ socket }) => socket.remoteAddress);
    const [most = []] = [...byAddress.values()].sort((one, other) => other.length - one.length);
    most[0]?.socket.destroy();
  }
}

const keyOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`;
