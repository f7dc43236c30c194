/**
 * Relays TCP connections to a container: what one end sends is written to the other. An end that does not read stops its
 * sender through TCP's own flow control; at most one chunk per direction is held in memory.
 */
import type { RelayTarget } from '../../contract.ts';
import { closeFile } from '../calls.ts';
import { EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT } from '../epoll-event.ts';
import { errnoOf } from '../ffi/errno.ts';
import { libc } from '../ffi/libc.ts';
import { chunkBytes } from './limits.ts';
import { setInteger } from './options.ts';
import type { Poller, Registration } from './poller.ts';
import { connectTo, SOCK_FLAGS, SOCK_STREAM } from './target-socket.ts';

const SOL_SOCKET = 1;
const SO_ERROR = 4;
const SO_KEEPALIVE = 9;
const SO_LINGER = 13;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const TCP_KEEPIDLE = 4;
const TCP_KEEPINTVL = 5;
const MSG_NOSIGNAL = 0x4000;
const SHUT_WR = 1;
/** A client whose host vanished is found after some three minutes. */
const keepAlive = { idleSeconds: 60, intervalSeconds: 15 };

const chunk = new Uint8Array(chunkBytes);

/** One socket of a connection. */
interface End {
  fd: number;
  registration: Registration;
  /** What the other end sent and this one has not accepted yet. */
  pending: Uint8Array | undefined;
  /** It has sent all: end of file was read and passed on. */
  ended: boolean;
}

export class TcpConnection {
  readonly #client: End;
  readonly #server: End;
  readonly #onClose: (connection: TcpConnection) => void;
  #connecting = true;
  #closed = false;

  private constructor(
    poller: Poller,
    [client, server]: readonly [number, number],
    onClose: (connection: TcpConnection) => void,
  ) {
    this.#onClose = onClose;
    const endOf = (fd: number, own: () => End, other: () => End): End => ({
      fd,
      registration: poller.add(fd, 0, (events) => this.#handle(own(), other(), events)),
      ...{ pending: undefined, ended: false },
    });
    this.#client = endOf(
      client,
      () => this.#client,
      () => this.#server,
    );
    this.#server = endOf(
      server,
      () => this.#server,
      () => this.#client,
    );
    this.#server.registration.setInterest(EPOLLOUT); // connected, or failed
  }

  /** Takes over `fd`, the accepted socket. Undefined if no connection is possible: the client has received a reset. */
  static open(
    poller: Poller,
    fd: number,
    target: RelayTarget,
    onClose: (connection: TcpConnection) => void,
  ): TcpConnection | undefined {
    const server = connectTo(target, SOCK_STREAM);
    if (server < 0) {
      reset(fd);
      return undefined;
    }
    setUp(fd);
    setUp(server);
    return new TcpConnection(poller, [fd, server], onClose);
  }

  /** Both ends receive a reset. */
  abort(): void {
    this.#close(reset);
  }

  #handle(own: End, other: End, events: number): void {
    const isConnected = own === this.#server && this.#connecting && (events & (EPOLLOUT | EPOLLHUP)) !== 0;
    if ((events & EPOLLERR) !== 0 || (isConnected && socketError(own.fd) !== 0)) {
      this.abort();
      return;
    }
    if (isConnected) this.#connecting = false;
    if ((events & EPOLLOUT) !== 0) this.#flush(own);
    if (!this.#closed && (events & (EPOLLIN | EPOLLHUP)) !== 0 && canRead(own, other)) this.#read(own, other);
    if (this.#closed) return;
    if (this.#client.ended && this.#server.ended) {
      this.#close(closeFile);
      return;
    }
    this.#updateInterest();
    // While the data of a socket that is closed both ways waits for the other end, epoll would report it again and again.
    // More of its data may be unread.
    if ((events & EPOLLHUP) !== 0 && !canRead(own, other) && own.pending === undefined) own.registration.suspend();
  }

  #read(from: End, to: End): void {
    const count = libc().recv(from.fd, chunk, chunk.length, 0);
    if (count < 0) {
      if (!isTemporary()) this.abort();
    } else if (count === 0) {
      from.ended = true;
      libc().shutdown(to.fd, SHUT_WR); // nothing is pending for it: see canRead
    } else {
      this.#send(to, chunk.subarray(0, count));
    }
  }

  /** Writes what is pending for `to`. */
  #flush(to: End): void {
    const { pending } = to;
    to.pending = undefined;
    if (pending !== undefined) this.#send(to, pending);
  }

  #send(to: End, bytes: Uint8Array): void {
    const sent = libc().sendto(to.fd, bytes, bytes.length, MSG_NOSIGNAL, null, 0);
    if (sent < 0 && !isTemporary()) {
      this.abort();
      return;
    }
    const accepted = Math.max(sent, 0);
    if (accepted < bytes.length) to.pending = bytes.slice(accepted); // a copy: the chunk is shared
  }

  #updateInterest(): void {
    for (const [own, other] of [
      [this.#client, this.#server],
      [this.#server, this.#client],
    ] as const) {
      const reads = !this.#connecting && canRead(own, other) ? EPOLLIN : 0;
      const writes = own.pending !== undefined || (own === this.#server && this.#connecting) ? EPOLLOUT : 0;
      own.registration.setInterest(reads | writes);
    }
  }

  #close(closeSocket: (fd: number) => void): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const { fd, registration } of [this.#client, this.#server]) {
      registration.remove();
      closeSocket(fd);
    }
    this.#onClose(this);
  }
}

const canRead = (own: End, other: End): boolean => !own.ended && other.pending === undefined;

/** struct sockaddr_in6. */
const clientAddress = new Uint8Array(28);

/** Accepts one connection, or returns -1 with errno. */
export function acceptConnection(listener: number): { fd: number; client: Uint8Array } {
  const length = new Uint8Array(new Int32Array([clientAddress.length]).buffer);
  return { fd: libc().accept4(listener, clientAddress, length, SOCK_FLAGS), client: clientAddress };
}

function setUp(fd: number): void {
  setInteger(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  setInteger(fd, IPPROTO_TCP, TCP_KEEPIDLE, keepAlive.idleSeconds);
  setInteger(fd, IPPROTO_TCP, TCP_KEEPINTVL, keepAlive.intervalSeconds);
  setInteger(fd, IPPROTO_TCP, TCP_NODELAY, 1); // chunks are passed on as they arrive
}

/** Closes with RST instead of FIN: the other end must not mistake a broken connection for a complete one. */
export function reset(fd: number): void {
  libc().setsockopt(fd, SOL_SOCKET, SO_LINGER, new Uint8Array(new Int32Array([1, 0]).buffer), 8);
  closeFile(fd);
}

function socketError(fd: number): number {
  const value = new Int32Array(1);
  libc().getsockopt(fd, SOL_SOCKET, SO_ERROR, new Uint8Array(value.buffer), new Uint8Array(new Int32Array([4]).buffer));
  return value[0] ?? 0;
}

const isTemporary = (): boolean => {
  const errno = libc().errno();
  return errno === errnoOf('EAGAIN') || errno === errnoOf('EINTR');
};
