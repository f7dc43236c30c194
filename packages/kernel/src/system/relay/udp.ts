/** Relays UDP: each client of a port has a session, a socket of its own to the container, until it is idle. */
import type { RelayTarget } from '../../contract.ts';
import { closeFile } from '../calls.ts';
import { EPOLLIN } from '../epoll-event.ts';
import { errnoOf } from '../ffi/errno.ts';
import { libc } from '../ffi/libc.ts';
import type { ClientFilter } from './client-filter.ts';
import { type DatagramBuffer, type Flow, flowKey } from './datagram.ts';
import { type RelayLimits, sessionIdleMs } from './limits.ts';
import type { Poller, Registration } from './poller.ts';
import { connectTo, SOCK_DGRAM } from './target-socket.ts';

const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
/** Datagrams of one socket before others have their turn. */
const datagramsPerTurn = 32;

/** A port of which the sessions are. */
export interface UdpPort {
  id: number;
  fd: number;
  target: RelayTarget;
  allows: ClientFilter;
}

interface Session {
  port: UdpPort;
  flow: Flow;
  fd: number;
  registration: Registration;
  usedAt: number;
}

export class UdpSessions {
  readonly #poller: Poller;
  readonly #buffer: DatagramBuffer;
  readonly #limits: RelayLimits;
  /** By port and flow; the one that was used last is the last. */
  readonly #sessions = new Map<string, Session>();
  /** The number of sessions by the port's id. */
  readonly #counts = new Map<number, number>();

  constructor(poller: Poller, buffer: DatagramBuffer, limits: RelayLimits) {
    this.#poller = poller;
    this.#buffer = buffer;
    this.#limits = limits;
  }

  /** Passes on what has arrived at a port. */
  forward(port: UdpPort, now: number): void {
    for (let count = 0; count < datagramsPerTurn; count += 1) {
      const length = this.#buffer.receive(port.fd);
      if (length < 0) return;
      const flow = this.#buffer.flow();
      const session = flow && this.#sessionOf(port, flow, now);
      if (session) this.#send(session, length);
    }
  }

  /** Ends the sessions that are idle. */
  expire(now: number): void {
    for (const [key, session] of this.#sessions) {
      if (now - session.usedAt < sessionIdleMs) return;
      this.#end(key, session);
    }
  }

  /** Ends the sessions of a port. */
  endPort(id: number): void {
    for (const [key, session] of this.#sessions) if (session.port.id === id) this.#end(key, session);
  }

  #sessionOf(port: UdpPort, flow: Flow, now: number): Session | undefined {
    if (!port.allows(flow.client)) return undefined;
    const key = `${port.id} ${flowKey(flow)}`;
    const session = this.#sessions.get(key) ?? this.#open(key, port, flow);
    if (session) this.#touch(key, session, now);
    return session;
  }

  #open(key: string, port: UdpPort, flow: Flow): Session | undefined {
    this.#makeRoom(port);
    const fd = connectTo(port.target, SOCK_DGRAM);
    if (fd < 0) return undefined;
    const session: Session = {
      ...{ port, flow, fd, usedAt: 0 },
      registration: this.#poller.add(fd, EPOLLIN, () => this.#answer(key, session)),
    };
    this.#count(port, 1);
    return session;
  }

  /** A port at its limit loses a session of its own: senders with ever new addresses must not end those of other ports. */
  #makeRoom({ id }: UdpPort): void {
    const isPortFull = (this.#counts.get(id) ?? 0) >= this.#limits.sessionsPerPort;
    if (!isPortFull && this.#sessions.size < this.#limits.sessions) return;
    const oldest = this.#sessions.entries().find(([, { port }]) => !isPortFull || port.id === id);
    if (oldest) this.#end(...oldest);
  }

  #count({ id }: UdpPort, change: number): void {
    const count = (this.#counts.get(id) ?? 0) + change;
    if (count > 0) this.#counts.set(id, count);
    else this.#counts.delete(id);
  }

  #touch(key: string, session: Session, now: number): void {
    session.usedAt = now;
    this.#sessions.delete(key);
    this.#sessions.set(key, session);
  }

  #send({ fd }: Session, length: number): void {
    const send = (): number => libc().sendto(fd, this.#buffer.data, length, MSG_DONTWAIT | MSG_NOSIGNAL, null, 0);
    // An ICMP error that an earlier datagram caused is reported once, and this one is not sent.
    if (send() < 0 && libc().errno() === errnoOf('ECONNREFUSED')) send();
  }

  #answer(key: string, session: Session): void {
    for (let count = 0; count < datagramsPerTurn; count += 1) {
      const length = libc().recv(session.fd, this.#buffer.data, this.#buffer.data.length, MSG_DONTWAIT);
      if (length < 0) return; // nothing more, or an ICMP error, which recv has cleared
      this.#buffer.reply(session.port.fd, session.flow, length);
      this.#touch(key, session, performance.now());
    }
  }

  #end(key: string, { port, fd, registration }: Session): void {
    this.#sessions.delete(key);
    this.#count(port, -1);
    registration.remove();
    closeFile(fd);
  }
}
