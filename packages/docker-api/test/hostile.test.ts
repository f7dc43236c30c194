/** Slow, silent or too many clients are limited, and others are served meanwhile. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { NetyardError } from '@netyard/core';
import type { ApiLimits } from '../src/http/limits.ts';
import { readAll, serve, type TestServer } from './client.ts';
import type { FakeEngine } from './fake-engine.ts';

const serveWith = (t: TestContext, limits: Partial<ApiLimits>, services: FakeEngine = {}): Promise<TestServer> =>
  serve(t, services, undefined, { limits });

const answersOthers = async (server: TestServer): Promise<void> =>
  assert.equal((await server.send('GET', '/_ping')).status, 200);

/** Writes `piece` repeatedly until the server closes the connection; returns the response. */
async function drip(socket: Socket, piece: string, milliseconds: number): Promise<string> {
  socket.on('error', () => {});
  const writing = setInterval(() => socket.write(piece), milliseconds);
  try {
    return await readAll(socket).catch(() => '');
  } finally {
    clearInterval(writing);
    socket.destroy();
  }
}

test('a request head sent byte by byte times out', async (t) => {
  const server = await serveWith(t, { headersMs: 300, checkIntervalMs: 50 });
  const heads = [
    '',
    'GET /_ping HTTP/1.1\r\nHost: x\r\nX-Slow: ',
    'POST /exec/e/start HTTP/1.1\r\nConnection: Upgrade\r\nUpgr',
  ];
  const slow = heads.map(async (head) => drip(await server.raw(head), 'G', 20));
  await answersOthers(server);
  for (const answer of await Promise.all(slow)) assert.match(answer, /^HTTP\/1\.1 4(08|00) /);
  const silent = await server.raw('');
  assert.match(await readAll(silent), /^(HTTP\/1\.1 408 |$)/);
  await answersOthers(server);
});

test('a connection that sends no further request is closed', async (t) => {
  const server = await serveWith(t, { keepAliveMs: 100, checkIntervalMs: 50 });
  const socket = await server.raw('GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n');
  assert.match(await readAll(socket), /^HTTP\/1\.1 200 .*OK$/s);
});

const stalled = (path: string, more = ''): string =>
  `${path} HTTP/1.1\r\nHost: x\r\n${more}Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"a`;

test('a stalled JSON body times out, also of an upgrade request', async (t) => {
  const server = await serveWith(t, { bodyMs: 200 });
  const upgrade = 'Connection: Upgrade\r\nUpgrade: tcp\r\n';
  for (const request of [stalled('POST /containers/create'), stalled('POST /exec/e/start', upgrade)]) {
    const socket = await server.raw(request);
    socket.on('error', () => {});
    assert.match(await readAll(socket), /^HTTP\/1\.1 408 .*request body timed out/s);
  }
  await answersOthers(server);
});

async function received(stream: NodeJS.ReadableStream): Promise<void> {
  for await (const _ of stream);
}

test('an archive whose client stops sending times out', async (t) => {
  const server = await serveWith(
    t,
    { uploadIdleMs: 200 },
    { containers: { writeArchive: (_ref, _path, stream) => received(stream) } },
  );
  const socket = await server.raw(stalled('PUT /containers/c/archive?path=/'));
  socket.on('error', () => {});
  assert.match(await readAll(socket), /^HTTP\/1\.1 408 .*received no data of the request body for 0\.2 seconds/s);
});

test('an archive that the daemon reads slowly does not time out', async (t) => {
  const server = await serveWith(
    t,
    { uploadIdleMs: 1000 },
    {
      containers: {
        writeArchive: async (_ref, _path, stream) => {
          await sleep(2500);
          await received(stream);
        },
      },
    },
  );
  const answer = await server.send('PUT', '/containers/c/archive?path=/', { body: 'x'.repeat(500_000) });
  assert.equal(answer.status, 200, answer.body);
});

test('a head of a megabyte and ten thousand headers are rejected', async (t) => {
  const server = await serveWith(t, {});
  const headers = (count: number): string =>
    `GET /_ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${'a: b\r\n'.repeat(count)}\r\n`;
  const ask = async (text: string): Promise<string> => {
    const socket = connect(server.path);
    let answer = '';
    socket.on('error', () => {}); // the server does not read to the end
    socket.on('data', (piece: Buffer) => {
      answer += piece.toString();
    });
    socket.write(text);
    await new Promise<void>((resolve) => socket.once('close', () => resolve()));
    return answer;
  };
  assert.match(await ask(headers(1_998)), /^HTTP\/1\.1 200 /);
  assert.match(await ask(headers(1_999)), /^HTTP\/1\.1 431 .*more than 2000 header fields/s);
  assert.match(await ask(headers(10_000)), /^HTTP\/1\.1 431 /);
  assert.match(
    await ask(`GET /_ping HTTP/1.1\r\nHost: x\r\nA: ${'a'.repeat(1024 * 1024)}\r\n\r\n`),
    /^HTTP\/1\.1 431 /,
  );
});

test('endless chunk extensions close the connection', async (t) => {
  const server = await serveWith(t, {});
  const socket = await server.raw(
    'POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2;',
  );
  await drip(socket, 'a'.repeat(4096), 1);
  await answersOthers(server);
});

const notFound = (ref: string): NetyardError => new NetyardError('not-found', `No such container: ${ref}`);
const pipelined = (count: number): string =>
  Array.from({ length: count }, (_, index) => `GET /containers/c${index}/json HTTP/1.1\r\nHost: x\r\n\r\n`).join('');

test('pipelined requests are served one after the other', async (t) => {
  let atOnce = 0;
  let most = 0;
  const inspect = async (ref: string): Promise<never> => {
    atOnce += 1;
    most = Math.max(most, atOnce);
    await sleep(0);
    atOnce -= 1;
    throw notFound(ref);
  };
  const server = await serveWith(t, {}, { containers: { inspect } });
  const socket = await server.raw(`${pipelined(3000)}GET /_ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
  const text = await readAll(socket);
  const order = [...text.matchAll(/No such container: c(\d+)/g)].map((match) => Number(match[1]));
  assert.deepEqual(
    order,
    Array.from({ length: 3000 }, (_, index) => index),
  );
  assert.match(text, /OK$/);
  assert.equal(most, 1);
});

test('requests with bodies are served whether they arrive together or in pieces', async (t) => {
  const names: string[] = [];
  const create = async ({ name }: { name: string }): Promise<never> => {
    names.push(name);
    throw new NetyardError('conflict', `volume ${name} exists`);
  };
  const server = await serveWith(t, {}, { volumes: { create } });
  const requestOf = (name: string, more = ''): string => {
    const body = JSON.stringify({ Name: name });
    const head = `POST /volumes/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n${more}`;
    return `${head}Content-Length: ${body.length}\r\n\r\n${body}`;
  };
  const all = ['a', 'bb', 'ccc'].map((name) => requestOf(name)).join('') + requestOf('last', 'Connection: close\r\n');
  const together = await server.raw(all);
  assert.equal([...(await readAll(together)).matchAll(/volume \w+ exists/g)].length, 4);
  const inPieces = await server.raw(all.slice(0, 10));
  for (let at = 10; at < all.length; at += 10) {
    inPieces.write(all.slice(at, at + 10));
    await sleep(0);
  }
  assert.equal([...(await readAll(inPieces)).matchAll(/volume \w+ exists/g)].length, 4);
  assert.deepEqual(names, ['a', 'bb', 'ccc', 'last', 'a', 'bb', 'ccc', 'last']);
});

test('pipelined requests wait while their client does not read', async (t) => {
  let calls = 0;
  const inspect = async (ref: string): Promise<never> => {
    calls += 1;
    throw notFound(ref.padEnd(2000, 'x'));
  };
  const server = await serveWith(t, {}, { containers: { inspect } });
  const socket = await server.raw(pipelined(30_000));
  t.after(() => socket.destroy());
  let before = -1;
  while (before !== calls) {
    before = calls;
    for (let round = 0; round < 50; round += 1) await answersOthers(server);
  }
  assert.ok(calls > 0 && calls < 15_000, `${calls} were served`);
});

test('above the limit, idle connections are closed for new ones, busy ones are not', async (t) => {
  const done = Promise.withResolvers<{ exitCode: number }>();
  const server = await serveWith(
    t,
    { unixConnections: 100 },
    { containers: { wait: async () => ({ done: done.promise }) } },
  );
  const busy = await server.raw('POST /containers/c/wait HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  const idle: Socket[] = [];
  t.after(() => {
    for (const socket of idle) socket.destroy();
  });
  let closed = 0;
  for (let count = 0; count < 2000; count += 1) {
    const socket = connect(server.path);
    socket.on('error', () => {});
    socket.on('close', () => {
      closed += 1;
    });
    socket.resume();
    idle.push(socket);
    if (count % 100 === 0) await answersOthers(server);
  }
  while (closed < idle.length - 100) await sleep(20);
  await answersOthers(server);
  done.resolve({ exitCode: 7 });
  assert.match(await readAll(busy), /"StatusCode":7/);
});

test('when every connection has a request, a new connection is rejected', async (t) => {
  const server = await serveWith(
    t,
    { unixConnections: 2 },
    { containers: { wait: async () => ({ done: new Promise<never>(() => {}) }) } },
  );
  const waiting = 'POST /containers/c/wait HTTP/1.1\r\nHost: x\r\n\r\n';
  const open: Socket[] = [];
  t.after(() => {
    for (const socket of open) socket.destroy();
  });
  for (let count = 0; count < 2; count += 1) {
    const socket = await server.raw(waiting);
    open.push(socket);
    await once(socket, 'readable');
  }
  await assert.rejects(server.send('GET', '/_ping'), { code: /ECONNRESET|EPIPE/ });
  open[0]?.destroy();
  for (;;) {
    const answer = await server.send('GET', '/_ping').catch(() => undefined);
    if (answer?.status === 200) break;
  }
});
