/**
 * WebSocket connections (RFC 6455) for `attach/ws`: the check of the handshake, and a message stream behind the same
 * interface as a hijacked connection.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { NetyardError } from '@netyard/core';
import { createWebSocketStream, WebSocketServer } from 'ws';
import type { Connection } from './connection.ts';

/** Input arrives in messages; a longer one closes the connection with status 1009. */
const MAXIMUM_MESSAGE_BYTES = 1024 * 1024;
/** Output that waits in memory for a slow client. */
const OUTPUT_BUFFER_BYTES = 256 * 1024;

const acceptor = new WebSocketServer({
  noServer: true,
  clientTracking: false,
  perMessageDeflate: false,
  maxPayload: MAXIMUM_MESSAGE_BYTES,
});

// With a listener the library does not answer a bad handshake itself.
acceptor.on('wsClientError', () => {});

type Handshake = Pick<IncomingMessage, 'method' | 'headers'>;

/** True for a request that asks for this protocol. Pure. */
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
 * Answers the handshake, which `checkHandshake` has accepted. Each write becomes one message, binary for bytes and text
 * for strings. Writes wait while the client does not read; the socket is not read while nobody takes the input.
 */
export function acceptWebSocket(request: IncomingMessage, connection: Duplex): Connection {
  let stream: Duplex | undefined;
  acceptor.handleUpgrade(request, connection, Buffer.alloc(0), (socket) => {
    stream = createWebSocketStream(socket, { writableHighWaterMark: OUTPUT_BUFFER_BYTES, decodeStrings: false });
    // A violation of the protocol ends the connection; its `close` is what the request is notified of.
    stream.on('error', () => connection.destroy());
  });
  if (stream) return { input: stream, output: stream };
  throw new NetyardError('invalid', 'bad WebSocket handshake: invalid Sec-WebSocket-Protocol header');
}
