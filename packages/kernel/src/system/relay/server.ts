/** The relayed ports of the host, in the relay thread: accepts connections and datagrams, within the limits. */
import { closeFile } from '../calls.ts';
import { EPOLLIN } from '../epoll-event.ts';
import { errnoName } from '../ffi/errno.ts';
import { libc } from '../ffi/libc.ts';
import { type ClientFilter, clientFilter } from './client-filter.ts';
import type { RelayCommand } from './contract.ts';
import { DatagramBuffer } from './datagram.ts';
import type { RelayLimits } from './limits.ts';
import type { Poller, Registration } from './poller.ts';
import { acceptConnection, reset, TcpConnection } from './tcp.ts';
import { UdpSessions } from './udp.ts';

/** Connections of one port before others have their turn. */
const acceptedPerTurn = 16;

type Open = Extract<RelayCommand, { action: 'open' }>;

interface Port extends Open {
  registration: Registration;
  allows: ClientFilter;
  connections: Set<TcpConnection>;
}

export class RelayServer {
  readonly #poller: Poller;
  readonly #limits: RelayLimits;
  readonly #ports = new Map<number, Port>();
  readonly #udp: UdpSessions;
  /** At a limit; clients wait in the backlog. The one that waits longest is the first. */
  readonly #blocked = new Set<Port>();
  #connections = 0;
  /** No descriptor was left: no connection is accepted until this time. */
  #pausedUntil = 0;

  constructor(poller: Poller, limits: RelayLimits) {
    this.#poller = poller;
    this.#limits = limits;
    this.#udp = new UdpSessions(poller, new DatagramBuffer(), limits);
  }

  open(command: Open): void {
    const known = this.#ports.get(command.id);
    if (known) {
      Object.assign(known, { target: command.target, allows: clientFilter(command.target) });
      this.#udp.endPort(known.id);
      return;
    }
    const port: Port = {
      ...command,
      allows: clientFilter(command.target),
      connections: new Set(),
      registration: this.#poller.add(command.fd, EPOLLIN, () => this.#receive(port)),
    };
    this.#ports.set(port.id, port);
  }

  close(id: number): void {
    const port = this.#ports.get(id);
    if (!port) return;
    this.#ports.delete(id);
    this.#blocked.delete(port);
    port.registration.remove();
    for (const connection of port.connections) connection.abort();
    this.#udp.endPort(id);
    closeFile(port.fd);
  }

  /** Ends all connections. The sockets of ports that are still open are the main thread's to close. */
  endAll(): void {
    for (const { id, connections, registration } of this.#ports.values()) {
      registration.remove();
      for (const connection of connections) connection.abort();
      this.#udp.endPort(id);
    }
  }

  /** Called at least once a second. */
  tick(now: number): void {
    this.#udp.expire(now);
    if (now >= this.#pausedUntil) for (const port of this.#blocked) this.#unblock(port);
  }

  #receive(port: Port): void {
    if (port.protocol === 'udp') {
      this.#udp.forward(port, performance.now());
      return;
    }
    for (let count = 0; count < acceptedPerTurn; count += 1) {
      if (!this.#accepts(port)) this.#block(port);
      if (this.#blocked.has(port) || !this.#accept(port)) return;
    }
  }

  #accepts({ connections }: Port): boolean {
    return this.#connections < this.#limits.connections && connections.size < this.#limits.connectionsPerPort;
  }

  #block(port: Port): void {
    port.registration.setInterest(0);
    this.#blocked.add(port);
  }

  #unblock(port: Port): void {
    if (!this.#accepts(port)) return;
    this.#blocked.delete(port);
    port.registration.setInterest(EPOLLIN);
  }

  /** False when there is nothing more to accept. */
  #accept(port: Port): boolean {
    const { fd, client } = acceptConnection(port.fd);
    if (fd < 0) {
      if (!['EMFILE', 'ENFILE'].includes(errnoName(libc().errno()))) return false;
      this.#pausedUntil = performance.now() + 1000;
      this.#block(port);
      return false;
    }
    if (!port.allows(client)) {
      reset(fd);
      return true;
    }
    const connection = TcpConnection.open(this.#poller, fd, port.target, (closed) => this.#closed(port, closed));
    if (connection) {
      port.connections.add(connection);
      this.#connections += 1;
    }
    return true;
  }

  #closed(port: Port, connection: TcpConnection): void {
    port.connections.delete(connection);
    this.#connections -= 1;
    const waiting =
      performance.now() < this.#pausedUntil ? undefined : this.#blocked.values().find((one) => this.#accepts(one));
    if (waiting) this.#unblock(waiting);
  }
}
