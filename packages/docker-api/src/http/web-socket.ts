/**
 * WebSocket connections (RFC 6455) for `attach/ws`: checks the handshake and offers messages through the same interface
 * as a hijacked connection.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { NetyardError } from '@netyard/core';
import { createWebSocketStream, WebSocketServer } from 'ws';
import type { Connection } from './connection.ts';

/** A longer message from the client closes the connection with status 1009. */
const MAXIMUM_MESSAGE_BYTES = 1024 * 1024;
/** Output buffered for a slow client. */
const OUTPUT_BUFFER_BYTES = 256 * 1024;

const acceptor = new WebSocketServer({
  noServer: true,
  clientTracking: false,
  perMessageDeflate: false,
  maxPayload: MAXIMUM_MESSAGE_BYTES,
});

// With this listener the library does not answer a bad handshake itself.
acceptor.on('wsClientError', () => {});

type Handshake = Pick<IncomingMessage, 'method' | 'headers'>;

/** True for a request to upgrade to WebSocket. Pure. */
export const asksForWebSocket = ({ method, headers }: Handshake): boolean =>
  method === 'GET' && headers.upgrade?.toLowerCase() === 'websocket';

/** Throws `invalid` for a request that is not a WebSocket handshake. Pure. */
export function checkHandshake(request: Handshake): void {
  const { 'sec-websocket-key': key, 'sec-websocket-version': version } = request.headers;
  if (!asksForWebSocket(request) || !hasToken(request.headers.connection, 'upgrade'))
    throw new NetyardError(
      'invalid',
      'bad WebSocket handshake: Upgrade: websocket and Connection: Upgrade are required',
    );
  if (version !== '13') throw new NetyardError('invalid', 'bad WebSocket handshake: Sec-WebSocket-Version must be 13');
  if (typeof key !== 'string' || !/^[+/0-9A-Za-z]{22}==$/.test(key))
    throw new NetyardError('invalid', 'bad WebSocket handshake: Sec-WebSocket-Key must be 16 bytes in base64');
}

const hasToken = (list: string | undefined, token: string): boolean =>
  (list ?? '').split(',').some((item) => item.trim().toLowerCase() === token);

/**
 * Answers a handshake that `checkHandshake` has accepted. Each write becomes one message, binary for bytes and text for
 * strings. Back-pressure works both ways: writes wait for the client, and the socket is not read while input is unread.
 */
export function acceptWebSocket(request: IncomingMessage, connection: Duplex): Connection {
  let stream: Duplex | undefined;
  acceptor.handleUpgrade(request, connection, Buffer.alloc(0), (socket) => {
    stream = createWebSocketStream(socket, { writableHighWaterMark: OUTPUT_BUFFER_BYTES, decodeStrings: false });
    // A protocol violation ends the connection; the request is notified by its `close`.
    stream.on('error', () => connection.destroy());
  });
  if (stream) return { input: stream, output: stream };
  throw new NetyardError('invalid', 'bad WebSocket handshake: invalid Sec-WebSocket-Protocol header');
}
