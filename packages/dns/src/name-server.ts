/**
 * The name server of one container: serves a UDP and a TCP socket that were opened inside the container's namespace.
 * The caller decides the answers; this file bounds what one container can take of the daemon's time and descriptors.
 */
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { createServer, type Server, type Socket } from 'node:net';
import { type Logger, messageOf } from '@netyard/core';
import { frame, MessageReader } from './framing.ts';
import { fitUdp, rcodeOf } from './message.ts';
import type { Transport } from './upstream-query.ts';

/** Per container: pending forwarded queries, and TCP connections. */
const maximumPending = 128;
const maximumConnections = 16;
/** Queries per second of one container, and how many of them may come at once; more are dropped. */
const maximumRate = 5000;
const idleMilliseconds = 10_000;
/** Answers that a client has not read yet, per TCP connection; a client that lets more accumulate is disconnected. */
const maximumUnreadBytes = 256 * 1024;

/** Returns the answer to one query, possibly as a promise; undefined: no answer is sent. */
export type Answerer = (query: Buffer, transport: Transport) => Promise<Buffer | undefined> | Buffer | undefined;

export interface NameServerOptions {
  /** Descriptors of a bound and a listening socket; owned by the server from now on. */
  udp: number;
  tcp?: number | undefined;
  answer: Answerer;
  /** Called for each answer, with its response code (RFC 1035, 4.1.1). */
  noteAnswer?: ((rcode: number) => void) | undefined;
  logger: Logger;
  /** For the log. */
  container: string;
}

export class NameServer {
  readonly #options: NameServerOptions;
  readonly #udp: UdpSocket;
  readonly #tcp: Server;
  readonly #connections = new Set<Socket>();
  #pending = 0;
  #allowance = maximumRate;
  #allowedAt = performance.now();
  #open = true;

  constructor(options: NameServerOptions) {
    this.#options = options;
    this.#udp = createSocket('udp4', (query, { port, address }) => {
      this.#answer(query, 'udp', (message) => this.#udp.send(fitUdp(message, query), port, address));
    });
    this.#tcp = createServer((connection) => this.#serve(connection));
    this.#tcp.maxConnections = maximumConnections;
    this.#udp.on('error', (error) => this.#logFailure('its UDP socket failed', error));
    this.#tcp.on('error', (error) => this.#logFailure('its TCP socket failed', error));
    this.#udp.bind({ fd: options.udp });
    if (options.tcp !== undefined) this.listen(options.tcp);
  }

  /** @param tcp a listening socket, for a server that was opened without one; owned by the server from now on */
  listen(tcp: number): void {
    this.#tcp.listen({ fd: tcp });
  }

  /** The descriptors are closed before this returns: they would keep the namespace alive. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#udp.close();
    this.#tcp.close();
    for (const connection of this.#connections) connection.destroy();
  }

  #logFailure(what: string, error: unknown): void {
    const { logger, container } = this.#options;
    logger.warn(`a container's name server: ${what}`, { container, error: messageOf(error) });
  }

  #answer(query: Buffer, transport: Transport, reply: (message: Buffer) => void): void {
    if (this.#pending >= maximumPending || !this.#isWithinRate()) return;
    const send = (message: Buffer): void => {
      this.#options.noteAnswer?.(rcodeOf(message));
      reply(message);
    };
    try {
      const answer = this.#options.answer(query, transport);
      if (answer instanceof Promise) this.#replyLater(answer, send);
      else if (answer) send(answer);
    } catch (error) {
      this.#logFailure('a query could not be answered', error);
    }
  }

  #isWithinRate(): boolean {
    const now = performance.now();
    this.#allowance = Math.min(maximumRate, this.#allowance + ((now - this.#allowedAt) * maximumRate) / 1000);
    this.#allowedAt = now;
    if (this.#allowance < 1) return false;
    this.#allowance -= 1;
    return true;
  }

  #replyLater(answer: Promise<Buffer | undefined>, reply: (message: Buffer) => void): void {
    this.#pending += 1;
    answer
      .then((message) => {
        if (message && this.#open) reply(message);
      })
      .catch((error: unknown) => this.#logFailure('a query could not be forwarded', error))
      .finally(() => {
        this.#pending -= 1;
      });
  }

  #serve(connection: Socket): void {
    const reader = new MessageReader();
    this.#connections.add(connection);
    connection.setTimeout(idleMilliseconds, () => connection.destroy());
    connection.on('error', () => connection.destroy()); // the client disconnected
    connection.on('close', () => this.#connections.delete(connection));
    connection.on('data', (data) => {
      for (const query of reader.take(data))
        this.#answer(query, 'tcp', (message) => {
          if (connection.destroyed) return;
          connection.write(frame(message));
          if (connection.writableLength > maximumUnreadBytes) connection.destroy();
        });
    });
  }
}
