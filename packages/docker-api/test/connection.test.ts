/** When a connection is kept or closed after an error; no error ends the server. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { NetyardError } from '@netyard/core';
import { failCurrentRequest } from '../src/index.ts';
import { readAll, readUntil, serve } from './client.ts';
import { details } from './fake-engine.ts';

const refused = new NetyardError('not-found', 'No such container: none');

const services = {
  containers: {
    inspect: async () => Promise.reject(refused),
    writeArchive: async () => Promise.reject(refused),
  },
};

const upload = (length: number): string =>
  `PUT /containers/none/archive?path=/tmp HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n`;

async function open(t: TestContext, path: string): Promise<Socket> {
  const socket = connect({ path, allowHalfOpen: true });
  t.after(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

test('a rejected upload whose client disconnects affects no other request', async (t) => {
  const server = await serve(t, services);
  for (const end of ['destroy', 'end'] as const) {
    const socket = await open(t, server.path);
    socket.write(upload(100_000) + 'x'.repeat(1_000));
    assert.match(await readUntil(socket, /none"\}/), /^HTTP\/1\.1 404 /);
    socket.resume();
    socket[end]();
    await once(socket, 'close');
  }
  assert.equal((await server.send('GET', '/_ping')).status, 200);
});

test('pings and errors keep the connection open, even with an unread body; pipelined responses are in order', async (t) => {
  const server = await serve(t, services);
  const socket = await open(t, server.path);
  const head = 'HTTP/1.1\r\nHost: x\r\n';
  socket.write(
    `GET /_ping ${head}\r\nGET /nope ${head}\r\n${upload(3)}abcPOST /swarm/init ${head}Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\nHEAD /_ping ${head}\r\nGET /containers/none/json ${head}Connection: close\r\n\r\n`,
  );
  const text = await readAll(socket);
  assert.deepEqual(
    [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map((match) => match[1]),
    ['200', '404', '404', '501', '200', '404'],
  );
  assert.equal(text.match(/Connection: close/g)?.length, 1);
});

test('a body that arrives after its error response is discarded and the connection serves the next request', async (t) => {
  const server = await serve(t, services);
  const socket = await open(t, server.path);
  socket.write(upload(200_000));
  assert.match(await readUntil(socket, /none"\}/), /^HTTP\/1\.1 404 /);
  socket.write('x'.repeat(200_000));
  socket.write('GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n');
  assert.match(await readUntil(socket, /OK$/), /HTTP\/1\.1 200/);
});

test('a body that does not arrive after its error response ends the connection', async (t) => {
  const server = await serve(t, services);
  const socket = await open(t, server.path);
  socket.on('error', () => {});
  socket.write(`${upload(200_000)}x`);
  assert.match(await readAll(socket), /^HTTP\/1\.1 404 /);
});

test('garbage from the client cuts the response in progress and adds no second one', async (t) => {
  const server = await serve(t, { containers: { wait: async () => ({ done: new Promise(() => {}) }) } });
  const socket = await open(t, server.path);
  socket.on('error', () => {});
  socket.write('POST /containers/c/wait HTTP/1.1\r\nHost: x\r\n\r\n');
  let text = await readUntil(socket, /\r\n\r\n/);
  socket.write('garbage\r\n\r\n');
  text += await readAll(socket).catch(() => '');
  assert.equal(text.match(/HTTP\/1\.1/g)?.length, 1, text);
});

test('an upgrade that is rejected while its body arrives ends the connection after the response', async (t) => {
  const server = await serve(t, { exec: { start: async () => Promise.reject(refused) } });
  const socket = await open(t, server.path);
  socket.on('error', () => {});
  socket.write(
    'POST /exec/e/start HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Type: text/plain\r\nContent-Length: 1000\r\n\r\nabc',
  );
  assert.match(await readAll(socket), /^HTTP\/1\.1 400 /);
});

test('an uncaught exception fails its own request only and reveals no internals', async (t) => {
  const catchAll = (error: unknown): void => assert.ok(failCurrentRequest(error), String(error));
  // The test runner's own listeners would fail the test.
  const runners = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', catchAll);
  t.after(() => {
    process.removeAllListeners('uncaughtException');
    for (const listener of runners) process.on('uncaughtException', listener);
  });
  const server = await serve(t, {
    containers: {
      inspect: async (ref) => {
        if (ref !== 'late') return details;
        setTimeout(() => {
          throw new TypeError('undefined is not a function');
        }, 1);
        return new Promise<never>(() => {});
      },
    },
  });
  const [late, other] = await Promise.all([
    server.send('GET', '/containers/late/json'),
    server.send('GET', '/containers/other/json'),
  ]);
  assert.deepEqual([late.status, late.body], [500, '{"message":"internal error: see the daemon log"}\n']);
  assert.equal(other.status, 200);
});

test('a NUL in a query is a bad request on every route', async (t) => {
  const server = await serve(t, {});
  for (const [method, path] of [
    ['GET', '/containers/c/archive?path=%00'],
    ['PUT', '/containers/c/archive?path=/a%00b'],
    ['POST', '/containers/c/rename?name=a%00'],
    ['GET', '/containers/json?filters=%00'],
  ] as const) {
    const answer = await server.send(method, path);
    assert.deepEqual([answer.status, /proc/.test(answer.body)], [400, false], path);
  }
});
