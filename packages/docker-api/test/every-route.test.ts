/**
 * Misbehaving clients on every route of the server's own table. Afterwards the server still answers, and file
 * descriptors and memory are released.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { NetyardError } from '@netyard/core';
import type { Attachment, ContainerSummary, OutputChunk } from '@netyard/engine';
import type { Route } from '../src/http/router.ts';
import { allRoutes } from '../src/server.ts';
import { serve, type TestServer } from './client.ts';
import { details, type FakeEngine, fakeOptions, someSummary } from './fake-engine.ts';

const refusal = new NetyardError('not-found', 'no such thing');
const piece = Buffer.alloc(65_536, 'x');
/** Pieces produced for endless responses. */
let produced = 0;

async function* endless<T>(value: T): AsyncGenerator<T> {
  for (;;) {
    produced += 1;
    yield value;
  }
}

/** Reads an upload, then rejects it, like an archive without entries. */
async function* refuseAfterReading(archive: AsyncIterable<unknown>): AsyncGenerator<never> {
  for await (const _ of archive) if (_ === null) yield refuse();
  refuse();
}

function refuse(): never {
  throw refusal;
}

const output = { stream: 'stdout', data: piece } satisfies OutputChunk;
const attachment = async (): Promise<Attachment> => ({
  tty: true,
  output: endless(output),
  stdin: undefined,
  detached: new Promise<void>(() => {}),
});
const archive = (): Readable => Readable.from(endless(piece), { objectMode: false });
const many: ContainerSummary[] = Array.from({ length: 2_000 }, () => someSummary);

/** Endless responses where a route streams; all other calls are rejected. */
const services: FakeEngine = {
  containers: {
    attach: attachment,
    inspect: async () => details,
    export: async () => archive(),
    list: async () => many,
    logs: async () => ({ tty: true, output: endless(piece) }),
    writeArchive: async (_ref, path, body) => {
      if (path === '/read') await refuseAfterReading(body).next();
      throw refusal;
    },
    wait: async (_ref, _condition, signal) => ({
      done: once(signal ?? new AbortController().signal, 'abort').then(() => ({ exitCode: 0 })),
    }),
  },
  exec: { start: attachment },
  images: {
    load: (body) => refuseAfterReading(body),
    import: (body) => refuseAfterReading(body),
    pull: () => endless({ status: 'x'.repeat(1_000) }),
    push: () => endless({ status: 'x'.repeat(1_000) }),
    save: async () => archive(),
  },
};

const routes = allRoutes(fakeOptions(services)).filter(
  (route, index, all) => all.findIndex(({ method, path }) => method === route.method && path === route.path) === index,
);

function target({ path }: Route): string {
  const query = 'path=/read&stdout=1&stream=1&fromImage=a&fromSrc=-&stdin=1&names=a&target=a';
  const only = path === '/images/create' ? 'fromSrc=-' : query;
  return `${path.replaceAll(/:\w+/g, 'a')}?${only}`;
}

const head = (route: Route, lines: readonly string[]): string =>
  [`${route.method} ${target(route)} HTTP/1.1`, 'Host: x', 'Content-Type: application/json', ...lines, '', ''].join(
    '\r\n',
  );

const upgrade = ['Connection: Upgrade', 'Upgrade: tcp'];
const webSocket = [
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  `Sec-WebSocket-Key: ${Buffer.alloc(16).toString('base64')}`,
];

type Misbehaviour = (socket: Socket, route: Route) => Promise<void>;

const misbehaviours: Readonly<Record<string, Misbehaviour>> = {
  'disconnects after the headers': async (socket, route) => {
    socket.write(head(route, ['Content-Length: 100000']));
    await pause(1);
  },
  'disconnects in the middle of the body': async (socket, route) => {
    socket.write(`${head(route, ['Content-Length: 100000'])}${'x'.repeat(1_000)}`);
    await pause(5);
  },
  'disconnects in the middle of a chunk': async (socket, route) => {
    socket.write(`${head(route, ['Transfer-Encoding: chunked'])}400\r\n{`);
    await pause(5);
  },
  'disconnects after the first bytes of the response': async (socket, route) => {
    socket.write(`${head(route, ['Content-Length: 100000'])}${'x'.repeat(1_000)}`);
    await Promise.race([once(socket, 'data'), once(socket, 'close'), pause(20)]);
  },
  'sends a body that the handler does not read': async (socket, route) => {
    const unread = head(route, ['Content-Length: 1000']).replace('path=/read', 'path=/unread');
    socket.write(`${unread}${'x'.repeat(1_000)}`);
    await Promise.race([once(socket, 'data'), once(socket, 'close'), pause(20)]);
  },
  'closes its side after the request': async (socket, route) => {
    socket.end(head(route, []));
    await Promise.race([once(socket, 'data'), once(socket, 'close'), pause(20)]);
  },
  'closes its side in the middle of the body': async (socket, route) => {
    socket.end(`${head(route, ['Content-Length: 1000'])}{`);
    await Promise.race([once(socket, 'data'), once(socket, 'close'), pause(20)]);
  },
  'never reads the response': async (socket, route) => {
    socket.write(head(route, []));
    await pause(20);
  },
  'asks for an upgrade and never reads': async (socket, route) => {
    socket.write(`${head(route, [...upgrade, 'Content-Length: 2'])}{}early`);
    await pause(10);
  },
  'asks for an upgrade and disconnects in the middle of the body': async (socket, route) => {
    socket.write(`${head(route, [...upgrade, 'Content-Length: 1000'])}{`);
    await pause(5);
  },
  'opens a WebSocket and never reads': async (socket, route) => {
    socket.write(head(route, webSocket));
    await pause(20);
  },
  'opens a WebSocket, sends garbage and disconnects': async (socket, route) => {
    socket.write(`${head(route, webSocket)}garbage that is no frame`);
    await Promise.race([once(socket, 'data'), once(socket, 'close'), pause(20)]);
  },
  'sends two requests at once': async (socket, route) => {
    const one = head(route, []);
    socket.write(`${one}${one}`);
    await Promise.race([once(socket, 'data'), once(socket, 'close'), pause(20)]);
  },
  'sends garbage after the request': async (socket, route) => {
    socket.write(`${head(route, [])}\0\0garbage\r\n\r\n`);
    await Promise.race([once(socket, 'data'), once(socket, 'close'), pause(20)]);
  },
};

/** Fails by a timeout that only a leak exceeds. */
async function releases(server: TestServer): Promise<void> {
  let left = await server.requestsInMemory();
  for (const deadline = Date.now() + 20_000; left > 0 && Date.now() < deadline; await pause(200))
    left = await server.requestsInMemory();
  assert.equal(left, 0, `${left} requests remain in memory`);
}

const descriptors = (): number => readdirSync('/proc/self/fd').length;

describe('a client that misbehaves on any route affects no other', () => {
  const uncaught: unknown[] = [];
  const note = (error: unknown): void => void uncaught.push(error);
  before(() => process.on('uncaughtExceptionMonitor', note));
  after(() => process.off('uncaughtExceptionMonitor', note));

  test('the route table is complete', () => {
    assert.ok(routes.length > 60, String(routes.length));
  });

  for (const [name, misbehave] of Object.entries(misbehaviours))
    test(`it ${name}`, async (t) => {
      const server = await serve(t, services);
      assert.equal((await server.send('GET', '/_ping')).status, 200);
      const open = descriptors();
      produced = 0;
      const one = async (route: Route): Promise<void> => {
        const socket = connect({ path: server.path, allowHalfOpen: true });
        socket.on('error', () => {});
        await once(socket, 'connect');
        await misbehave(socket, route);
        socket.destroy();
      };
      for (let from = 0; from < routes.length; from += 16) await Promise.all(routes.slice(from, from + 16).map(one));
      assert.equal((await server.send('GET', '/_ping')).body, 'OK');
      assert.ok(produced < 1_000, `${produced} pieces produced for clients that do not read`);
      // Waits until all connections are closed and nothing is produced for them.
      while (descriptors() > open + 2) await pause(50);
      for (let before = -1; before !== produced; await pause(20)) before = produced;
      await releases(server);
      assert.deepEqual(uncaught, []);
    });
});
