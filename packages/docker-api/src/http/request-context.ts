/**
 * A request and how to answer it. The same for ordinary requests and for upgrades (`Upgrade: tcp`), for which Node
 * creates no response object.
 */
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex, Writable } from 'node:stream';
import { NetyardError } from '@netyard/core';
import type { ApiVersion } from '../versions.ts';
import type { Connection } from './connection.ts';
import { discardAfter, discardRest, restOf } from './request-body.ts';
import { takeConnection } from './take-connection.ts';
import { acceptWebSocket } from './web-socket.ts';

export type Headers = Readonly<Record<string, string>>;

/** How a handler answers: it calls one of these methods, once. */
export interface Answer {
  /** True when the head of the response has been sent. */
  readonly started: boolean;
  /** Of the response's head; 0 until it has been sent. */
  readonly status: number;
  /** Sends a complete response. */
  send(status: number, headers: Headers, body: string): void;
  /** Sends the head at once; the body is written to the result. */
  open(status: number, headers: Headers): Writable;
  /**
   * Hijacks the connection: both directions are raw bytes from here on. Sends the head at once, 101 when the client
   * asked for an upgrade, otherwise 200 (old clients, curl).
   */
  hijack(contentType: string): Connection;
  /** Turns the connection into a WebSocket. Throws `invalid` unless the request is a WebSocket handshake. */
  webSocket(): Connection;
}

export interface RequestContext {
  request: IncomingMessage;
  answer: Answer;
  version: ApiVersion;
  params: Readonly<Record<string, string | undefined>>;
  query: URLSearchParams;
  /** Aborted when the client has disconnected or the response is complete. */
  readonly signal: AbortSignal;
  /** For an error that a handler puts into its response instead of throwing it. */
  logError(error: unknown): void;
  /** For the reason why a response that has begun stays incomplete, which the client does not see. */
  readonly logBrokenOff: (error: unknown) => void;
}

/** How long a client may take to read a complete response, which occupies memory until then. */
export const UNREAD_ANSWER_MS = 300_000;

/** A response that is closed already gets no timer: the timer would keep it and its connection in memory. */
function endUnread(response: ServerResponse): void {
  if (response.closed) return;
  const timer = setTimeout(() => response.destroy(), UNREAD_ANSWER_MS).unref();
  response.once('close', () => clearTimeout(timer));
}

export function answerWith(request: IncomingMessage, response: ServerResponse, common: Headers): Answer {
  let taken = false;
  const begin = (status: number, headers: Headers): void => {
    response.writeHead(status, { ...common, ...headers });
  };
  discardAfter(response, request);
  return {
    get started() {
      return response.headersSent || taken;
    },
    get status() {
      return response.headersSent || taken ? response.statusCode : 0;
    },
    send(status, headers, body) {
      const parting = restOf(request) === 'too much';
      begin(status, { ...headers, ...(parting ? { Connection: 'close' } : {}), ...lengthOf(status, body) });
      const content = request.method === 'HEAD' ? '' : body;
      if (parting) endAfterClient(request, response, content);
      else response.end(content);
      // Not for what the kernel has already taken, as it does of most responses.
      if (parting || response.writableLength > 0) endUnread(response);
    },
    open(status, headers) {
      begin(status, headers);
      response.flushHeaders();
      return response;
    },
    hijack(contentType) {
      taken = true;
      return takeConnection(request, response, { ...common, 'Content-Type': contentType });
    },
    webSocket() {
      throw new NetyardError('invalid', 'bad WebSocket handshake: the request does not ask for an upgrade');
    },
  };
}

/**
 * Answers a client that is still sending. If the connection ended at once, the client would fail with a broken pipe and
 * never read the response; the connection ends when the client has disconnected or a moment later.
 */
function endAfterClient(request: IncomingMessage, response: ServerResponse, content: string): void {
  if (content === '') response.flushHeaders();
  else response.write(content);
  void discardRest(request).then(() => response.end());
}

const UPGRADE_PARTING_MS = 1_000;

export function answerUpgrade(request: IncomingMessage, connection: Duplex, common: Headers): Answer {
  let sent = 0;
  const begin = (status: number, reason: string, headers: Headers): void => {
    sent = status;
    const lines = Object.entries({ ...common, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
    connection.write(`HTTP/1.1 ${status} ${reason}\r\n${lines.join('')}\r\n`);
  };
  return {
    get started() {
      return sent !== 0;
    },
    get status() {
      return sent;
    },
    send(status, headers, body) {
      begin(status, STATUS_CODES[status] ?? '', { ...headers, ...lengthOf(status, body), Connection: 'close' });
      connection.end(body);
      endWithin(connection, UPGRADE_PARTING_MS);
    },
    open(status, headers) {
      begin(status, STATUS_CODES[status] ?? '', { ...headers, Connection: 'close' });
      return connection;
    },
    hijack(contentType) {
      begin(101, 'UPGRADED', { 'Content-Type': contentType, Connection: 'Upgrade', Upgrade: 'tcp' });
      return { input: connection, output: connection };
    },
    webSocket() {
      const accepted = acceptWebSocket(request, connection);
      sent = 101;
      return accepted;
    },
  };
}

/** Discards further input, and ends the connection after a while if the client does not. */
function endWithin(connection: Duplex, milliseconds: number): void {
  connection.resume();
  const timer = setTimeout(() => connection.destroy(), milliseconds);
  connection.once('close', () => clearTimeout(timer));
}

const lengthOf = (status: number, body: string): Headers =>
  status === 204 || status === 304 ? {} : { 'Content-Length': String(Buffer.byteLength(body)) };

export function sendEmpty({ answer }: RequestContext, status: 200 | 201 | 204): void {
  answer.send(status, {}, '');
}

export function sendText({ answer }: RequestContext, status: number, type: string, text: string): void {
  answer.send(status, { 'Content-Type': type }, text);
}
