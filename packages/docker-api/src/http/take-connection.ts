/**
 * Takes a connection away from Node's HTTP server: attach and exec from clients that do not ask for an upgrade in the
 * way HTTP defines it (`Connection: Upgrade`). Docker answers all of them and goes on with raw bytes.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { PassThrough, type Readable, type Writable } from 'node:stream';

const rawStream = 'application/vnd.docker.raw-stream';

/** Answers at once; 101 when the request has an Upgrade header, the only one that Docker checks. */
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
  response.on('error', () => undefined); // nothing is written to it: its `close` reports that the client has gone
  return { input: request.complete ? rawInput(socket) : request, output: socket };
}

/** The parser stays with the connection, but gets no more of its bytes. */
function rawInput(socket: Socket): Readable {
  const input = new PassThrough();
  socket.removeAllListeners('data').removeAllListeners('end');
  // Listening for data takes the connection's bytes back from the parser.
  socket.on('data', (chunk: Buffer) => {
    if (!input.write(chunk)) socket.pause();
  });
  input.on('drain', () => socket.resume());
  socket.once('end', () => input.end());
  socket.once('close', () => input.destroy());
  return input;
}
