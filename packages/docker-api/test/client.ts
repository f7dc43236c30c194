/** Starts a server on its own unix socket, and clients: one for HTTP, one for raw bytes. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Networks } from '@netyard/sandbox';
import { createApiServer } from '../src/index.ts';
import type { ApiOptions } from '../src/options.ts';
import { type FakeEngine, fakeOptions } from './fake-engine.ts';

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

export interface TestServer {
  path: string;
  send(method: string, path: string, options?: { body?: unknown; headers?: Record<string, string> }): Promise<Answer>;
  raw(text: string): Promise<Socket>;
  /** How many of the requests that the server has received are in memory, after a garbage collection. */
  requestsInMemory(): Promise<number>;
}

export async function serve(
  test: TestContext,
  services: FakeEngine,
  networks?: Partial<Networks>,
  more: Partial<ApiOptions> = {},
): Promise<TestServer> {
  const folder = mkdtempSync(join(tmpdir(), 'netyard-api-'));
  const path = join(folder, 'api.sock');
  const server = createApiServer({ ...fakeOptions(services, networks), ...more });
  const received: WeakRef<IncomingMessage>[] = [];
  const note = (message: IncomingMessage): void => void received.push(new WeakRef(message));
  server.on('request', note).on('upgrade', note);
  server.listen(path);
  await once(server, 'listening');
  test.after(() => {
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true });
  });
  return {
    path,
    send: (method, target, options) => send(path, method, target, options),
    raw: (text) => raw(path, text),
    async requestsInMemory() {
      await pause(0); // in this turn of the event loop, references that were read are strong
      collectGarbage();
      return received.filter((reference) => reference.deref() !== undefined).length;
    },
  };
}

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
}

async function send(
  socketPath: string,
  method: string,
  path: string,
  options: { body?: unknown; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const { body, headers = {} } = options;
  const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
  const json =
    text === undefined ? {} : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) };
  const sent = request({ socketPath, method, path, headers: { ...json, ...headers }, agent: false });
  sent.end(text);
  const [answer] = await once(sent, 'response');
  const pieces: Buffer[] = [];
  for await (const piece of answer) pieces.push(piece);
  return { status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(pieces).toString('latin1') };
}

async function raw(path: string, text: string): Promise<Socket> {
  const socket = connect({ path, allowHalfOpen: true });
  await once(socket, 'connect');
  socket.write(text);
  return socket;
}

/** Reads until the socket ends. */
export async function readAll(socket: Socket): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of socket) pieces.push(piece);
  return Buffer.concat(pieces).toString('latin1');
}

/** Reads until `pattern` matches. */
export async function readUntil(socket: Socket, pattern: RegExp): Promise<string> {
  let text = '';
  while (!pattern.test(text)) {
    const piece: Buffer | null = socket.read();
    if (piece === null) await once(socket, 'readable');
    else text += piece.toString('latin1');
  }
  return text;
}
