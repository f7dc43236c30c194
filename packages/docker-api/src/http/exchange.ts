/**
 * One request and the way to answer it, the same for ordinary requests and for those that ask to take the connection
 * over (`Upgrade: tcp`), which Node hands out without a response object.
 */
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import { type Duplex, PassThrough, type Readable, type Writable } from 'node:stream';
import type { ApiVersion } from '../versions.ts';

const PARTING_MS = 1_000;

export type Headers = Readonly<Record<string, string>>;

/** Both ways of a connection that was taken over; one and the same stream after an upgrade. */
export interface Connection {
  input: Readable;
  output: Writable;
}

/** How a handler answers. One of these is called, once. */
export interface Answer {
  /** True when the head of an answer has gone out. */
  readonly started: boolean;
  /** A whole answer. */
  send(status: number, headers: Headers, body: string): void;
  /** The head goes out at once; the body is written piece by piece. */
  open(status: number, headers: Headers): Writable;
  /**
   * Takes the connection over. With `Upgrade` both ways are raw from here on; without it (old clients, curl) output is
   * the body of a 200, and input what is left of the request's body.
   */
  hijack(contentType: string): Connection;
}

export interface Exchange {
  request: IncomingMessage;
  answer: Answer;
  version: ApiVersion;
  params: Readonly<Record<string, string | undefined>>;
  query: URLSearchParams;
  /** Aborted when the client has gone or all has been answered. */
  signal: AbortSignal;
}

export function answerWith(request: IncomingMessage, response: ServerResponse, common: Headers): Answer {
  const begin = (status: number, headers: Headers): void => {
    response.writeHead(status, { ...common, ...headers });
  };
  return {
    get started() {
      return response.headersSent;
    },
    send(status, headers, body) {
      const isRead = request.readableEnded || request.complete;
      // What has not been read of the body would be taken for the next request: better to part.
      begin(status, { ...headers, ...(isRead ? {} : { Connection: 'close' }), ...lengthOf(status, body) });
      if (request.method !== 'HEAD' && body !== '') response.write(body);
      else response.flushHeaders();
      if (isRead) response.end();
      else partSlowly(response);
    },
    open(status, headers) {
      begin(status, headers);
      response.flushHeaders();
      return response;
    },
    hijack(contentType) {
      begin(200, { 'Content-Type': contentType, Connection: 'close' });
      response.flushHeaders();
      return { input: bodyOf(request), output: response };
    },
  };
}

/**
 * The client may still be sending. If we closed at once it would find a broken pipe and never read the answer: it has the
 * whole of that, and goes when it has read it.
 */
function partSlowly(response: ServerResponse): void {
  const timer = setTimeout(() => response.end(), PARTING_MS);
  response.once('close', () => clearTimeout(timer));
}

/** A body that was read already (exec start) has ended: there is no input then. */
function bodyOf(request: IncomingMessage): Readable {
  return request.readableEnded ? new PassThrough().end() : request;
}

export function answerUpgrade(connection: Duplex, common: Headers): Answer {
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
      connection.resume();
    },
    open(status, headers) {
      begin(status, STATUS_CODES[status] ?? '', { ...headers, Connection: 'close' });
      return connection;
    },
    hijack(contentType) {
      begin(101, 'UPGRADED', { 'Content-Type': contentType, Connection: 'Upgrade', Upgrade: 'tcp' });
      return { input: connection, output: connection };
    },
  };
}

const lengthOf = (status: number, body: string): Headers =>
  status === 204 || status === 304 ? {} : { 'Content-Length': String(Buffer.byteLength(body)) };

export function sendJson({ answer }: Exchange, status: number, value: unknown): void {
  answer.send(status, { 'Content-Type': 'application/json' }, `${JSON.stringify(value)}\n`);
}

export function sendEmpty({ answer }: Exchange, status: 200 | 201 | 204): void {
  answer.send(status, {}, '');
}

export function sendText({ answer }: Exchange, status: number, type: string, text: string): void {
  answer.send(status, { 'Content-Type': type }, text);
}
