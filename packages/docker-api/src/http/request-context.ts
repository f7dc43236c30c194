/**
 * One request and the way to answer it, the same for ordinary requests and for those that ask to take the connection
 * over (`Upgrade: tcp`), which Node hands out without a response object.
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

/** How a handler answers. One of these is called, once. */
export interface Answer {
  /** True when the head of an answer has gone out. */
  readonly started: boolean;
  /** A whole answer. */
  send(status: number, headers: Headers, body: string): void;
  /** The head goes out at once; the body is written piece by piece. */
  open(status: number, headers: Headers): Writable;
  /**
   * Takes the connection over: both ways are raw from here on. The head, which goes out at once, is a 101 when the
   * client asked for an upgrade and a 200 when it did not (old clients, curl).
   */
  hijack(contentType: string): Connection;
  /** Takes the connection over as a WebSocket. Throws `invalid` when the request is not a handshake for one. */
  webSocket(): Connection;
}

export interface RequestContext {
  request: IncomingMessage;
  answer: Answer;
  version: ApiVersion;
  params: Readonly<Record<string, string | undefined>>;
  query: URLSearchParams;
  /** Aborted when the client has gone or all has been answered. */
  signal: AbortSignal;
}

/** How long a complete answer waits for its client to read it: until then it occupies memory. */
export const UNREAD_ANSWER_MS = 300_000;

/** Not for a response that is closed already: the timer would hold it, with its connection, for all that time. */
function endUnread(response: ServerResponse): void {
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
    send(status, headers, body) {
      const parting = restOf(request) === 'too much';
      begin(status, { ...headers, ...(parting ? { Connection: 'close' } : {}), ...lengthOf(status, body) });
      if (!response.closed) endUnread(response);
      const content = request.method === 'HEAD' ? '' : body;
      if (parting) partSlowly(request, response, content);
      else response.end(content);
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
 * The client is still sending. If the connection ended at once it would find a broken pipe and never read the answer: it
 * gets the whole answer, and the connection ends when the client has gone or a moment later.
 */
function partSlowly(request: IncomingMessage, response: ServerResponse, content: string): void {
  if (content === '') response.flushHeaders();
  else response.write(content);
  void discardRest(request).then(() => response.end());
}

const UPGRADE_PARTING_MS = 1_000;

export function answerUpgrade(request: IncomingMessage, connection: Duplex, common: Headers): Answer {
  let started = false;
  const begin = (status: number, reason: string, headers: Headers): void => {
    started = true;
    const lines = Object.entries({ ...common, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
    connection.write(`HTTP/1.1 ${status} ${reason}\r\n${lines.join('')}\r\n`);
  };
  return {
    get started() {
      return started;
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
      started = true;
      return accepted;
    },
  };
}

/** Discards what the client still sends, and ends the connection when the client does not. */
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
