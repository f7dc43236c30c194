/**
 * A daemon that records requests and answers from a table, on a temporary unix socket. docker and netyard get the same
 * responses, so that differences are netyard's.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';

export interface Recorded {
  method: string;
  /** Without the version: `/containers/create`. */
  path: string;
  query: Record<string, string | string[]>;
  body: unknown;
}

/** JSON of the response; a function may choose it by the request, or write it and return undefined. */
export type Answer = unknown | ((request: Recorded, response: ServerResponse) => unknown);

export interface FakeDaemon {
  socket: string;
  requests: Recorded[];
  /** Key: `GET /containers/json`. */
  answers: Map<string, Answer>;
  /** Serves an attached connection; by default it ends at once. */
  onHijack: (request: Recorded, stream: Duplex) => void;
  close(): Promise<void>;
}

export interface Refusal {
  status: number;
  message: string;
}

export const refuse = (status: number, message: string): Refusal => ({ status, message });

export async function openFakeDaemon(): Promise<FakeDaemon> {
  const folder = mkdtempSync(join(tmpdir(), 'netyard-cli-'));
  const daemon: FakeDaemon = {
    socket: join(folder, 'docker.sock'),
    requests: [],
    answers: new Map(),
    onHijack: (_request, stream) => void stream.end(),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      rmSync(folder, { recursive: true });
    },
  };
  const server = createServer((request, response) => void answer(daemon, request, response));
  server.on('upgrade', (request, stream, head) => void upgrade(daemon, request, stream, head));
  await new Promise<void>((resolve) => server.listen(daemon.socket, resolve));
  return daemon;
}

async function answer(daemon: FakeDaemon, incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk);
  const request = record(incoming, Buffer.concat(chunks).toString('utf8'));
  response.setHeader('Api-Version', '1.50');
  response.setHeader('Ostype', 'linux');
  response.setHeader('Server', 'Docker/28.2.2 (linux)');
  if (request.path === '/_ping') {
    response.end('OK');
    return;
  }
  daemon.requests.push(request);
  const entry = daemon.answers.get(`${request.method} ${request.path}`);
  const value = typeof entry === 'function' ? entry(request, response) : entry;
  if (response.writableEnded || (typeof entry === 'function' && value === undefined)) return;
  send(response, value);
}

function send(response: ServerResponse, value: unknown): void {
  response.setHeader('Content-Type', 'application/json');
  if (value === undefined) {
    response.writeHead(404).end(JSON.stringify({ message: 'page not found' }));
  } else if (typeof value === 'object' && value !== null && 'status' in value && 'message' in value) {
    response.writeHead(Number(value.status)).end(JSON.stringify({ message: value.message }));
  } else if (value === null) response.writeHead(204).end();
  else response.writeHead(200).end(typeof value === 'string' ? value : JSON.stringify(value));
}

async function upgrade(daemon: FakeDaemon, incoming: IncomingMessage, stream: Duplex, head: Buffer): Promise<void> {
  stream.on('error', () => stream.destroy());
  const length = Number(incoming.headers['content-length'] ?? 0);
  const chunks: Buffer[] = [];
  if (head.length >= length) chunks.push(head.subarray(0, length));
  else for await (const chunk of incoming) chunks.push(chunk);
  const request = record(incoming, Buffer.concat(chunks).toString('utf8'));
  daemon.requests.push(request);
  const type = 'application/vnd.docker.multiplexed-stream';
  stream.write(`HTTP/1.1 101 UPGRADED\r\nContent-Type: ${type}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n`);
  daemon.onHijack(request, stream);
}

function record(incoming: IncomingMessage, text: string): Recorded {
  const url = new URL(incoming.url ?? '/', 'http://daemon');
  const query: Recorded['query'] = {};
  for (const key of new Set(url.searchParams.keys())) {
    const values = url.searchParams.getAll(key);
    query[key] = values.length > 1 ? values : (values[0] ?? '');
  }
  const path = decodeURIComponent(url.pathname.replace(/^\/v1\.\d+/, ''));
  return { method: incoming.method ?? '', path, query, body: parseBody(text) };
}

function parseBody(text: string): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** One frame of stdcopy. */
export function frame(stream: 'stdout' | 'stderr', text: string): Buffer {
  const data = Buffer.from(text);
  const header = Buffer.alloc(8);
  header.writeUInt8(stream === 'stdout' ? 1 : 2, 0);
  header.writeUInt32BE(data.length, 4);
  return Buffer.concat([header, data]);
}
