/**
 * Limits the number of connections of one listener. Above the limit, the connection that has been idle longest is
 * closed, so that clients that only connect do not block others; if none is idle, the new connection is rejected.
 */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';

export class Connections {
  readonly #limit: number;
  readonly #all = new Set<Socket>();
  /** Longest idle first. */
  readonly #idle = new Set<Socket>();
  /** TLS socket to the accepted socket below it, which can be closed before the handshake. */
  readonly #below = new WeakMap<Socket, Socket>();
  readonly #handshakes = new Map<string, Socket>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** @param tls requests arrive on the sockets of `secureConnection` */
  watch(server: Server, tls: boolean): void {
    server.on('connection', (socket: Socket) => {
      if (tls) this.#expectHandshake(socket);
      this.#add(socket);
    });
    if (tls) server.on('secureConnection', (socket: Socket) => this.#bind(socket));
  }

  /** Marks the connection as serving a request. */
  begin(socket: Socket): void {
    this.#idle.delete(this.#accepted(socket));
  }

  end(socket: Socket): void {
    const accepted = this.#accepted(socket);
    if (this.#all.has(accepted)) this.#idle.add(accepted);
  }

  #accepted(socket: Socket): Socket {
    return this.#below.get(socket) ?? socket;
  }

  #add(socket: Socket): void {
    this.#all.add(socket);
    this.#idle.add(socket);
    socket.once('close', () => {
      this.#all.delete(socket);
      this.#idle.delete(socket);
    });
    if (this.#all.size <= this.#limit) return;
    const [longest = socket] = this.#idle;
    this.#all.delete(longest);
    this.#idle.delete(longest);
    longest.destroy();
  }

  #expectHandshake(socket: Socket): void {
    const key = addressOf(socket);
    this.#handshakes.set(key, socket);
    socket.once('close', () => {
      if (this.#handshakes.get(key) === socket) this.#handshakes.delete(key);
    });
  }

  #bind(socket: Socket): void {
    const key = addressOf(socket);
    const accepted = this.#handshakes.get(key);
    if (!accepted) return;
    this.#handshakes.delete(key);
    this.#below.set(socket, accepted);
  }
}

const addressOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`;
