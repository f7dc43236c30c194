/**
 * Hijacks a connection of Node's HTTP server for attach and exec when the client does not request an upgrade as HTTP
 * defines it (`Connection: Upgrade`). Docker answers all of them and continues with raw bytes.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { PassThrough, type Readable, type Writable } from 'node:stream';

const rawStream = 'application/vnd.docker.raw-stream';

/** Answers at once; 101 if the request has an Upgrade header, the only header that Docker checks. */
export function takeConnection(
  request: IncomingMessage,
  response: ServerResponse,
  headers: Readonly<Record<string, string>>,
): { input: Readable; output: Writable } {
  const { socket } = request;
  const upgrades = request.headers.upgrade !== undefined;
  const status = upgrades ? '101 UPGRADED' : '200 OK';
  const more = upgrades ? { Connection: 'Upgrade', Upgrade: 'tcp' } : { 'Content-Type': rawStream };
  const lines = Object.entries({ ...headers, ...more }).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`HTTP/1.1 ${status}\r\n${lines.join('')}\r\n`);
  socket.setTimeout(0);
  response.on('error', () => undefined); // unused from here on: its `close` reports that the client has disconnected
  return { input: request.complete ? rawInput(socket) : request, output: socket };
}

/** The parser stays attached to the connection, but receives no more bytes. */
function rawInput(socket: Socket): Readable {
  const input = new PassThrough();
  socket.removeAllListeners('data').removeAllListeners('end');
  // A `data` listener diverts the connection's bytes from the parser.
  socket.on('data', (chunk: Buffer) => {
    if (!input.write(chunk)) socket.pause();
  });
  input.on('drain', () => socket.resume());
  socket.once('end', () => input.end());
  socket.once('close', () => input.destroy());
  return input;
}
