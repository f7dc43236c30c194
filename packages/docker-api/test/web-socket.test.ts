/** `attach/ws`: Node's own WebSocket client, and raw handshakes, against the server. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect as connectTo, createServer } from 'node:net';
import { PassThrough } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { NetyardError } from '@netyard/core';
import type { Attachment, OutputChunk } from '@netyard/engine';
import { checkHandshake } from '../src/http/web-socket.ts';
import { readAll, serve } from './client.ts';
import { details, type FakeEngine } from './fake-engine.ts';

const key = Buffer.alloc(16).toString('base64');
const handshake = { upgrade: 'websocket', connection: 'keep-alive, Upgrade', 'sec-websocket-version': '13' };
const never = new Promise<void>(() => {});
const containers = (attach: NonNullable<FakeEngine['containers']>['attach']): FakeEngine => ({
  containers: { inspect: async () => details, ...(attach ? { attach } : {}) },
});

/** A process like cat. */
function cat(): Attachment {
  const stdin = new PassThrough();
  async function* output(): AsyncGenerator<OutputChunk> {
    for await (const data of stdin) {
      yield { stream: 'stdout', data: data as Buffer };
      if (String(data) === 'end') break;
    }
    yield { stream: 'stderr', data: Buffer.from('bye') };
  }
  return { tty: false, output: output(), stdin, detached: never };
}

/** Node's WebSocket client speaks TCP only: a relay on loopback in front of the server's unix socket. */
async function open(t: TestContext, services: FakeEngine, path: string): Promise<WebSocket> {
  const { path: socketPath } = await serve(t, services);
  const relay = createServer((client) => {
    const server = connectTo(socketPath);
    for (const end of [client, server]) end.on('error', () => {});
    client.pipe(server).pipe(client);
    client.once('close', () => server.destroy());
  });
  relay.listen(0, '127.0.0.1');
  await once(relay, 'listening');
  t.after(() => relay.close());
  const socket = new WebSocket(`ws://127.0.0.1:${(relay.address() as AddressInfo).port}${path}`);
  socket.binaryType = 'arraybuffer';
  return socket;
}

const closed = async (socket: WebSocket): Promise<number> => ((await once(socket, 'close'))[0] as CloseEvent).code;

test('attach/ws: one unframed message per chunk in both directions; the end of the output closes the connection', async (t) => {
  let seen: unknown;
  const services = containers(async (ref, { signal: _, ...options }) => {
    seen = { ref, ...options };
    return cat();
  });
  const query = 'stdin=1&stdout=1&stream=1&detachKeys=ctrl-c';
  const socket = await open(t, services, `/v1.45/containers/a/b/attach/ws?${query}`);
  const received: string[] = [];
  socket.addEventListener('message', ({ data }) => {
    assert.ok(data instanceof ArrayBuffer, 'a binary message');
    received.push(Buffer.from(data).toString());
    if (received.length === 1) socket.send('end');
  });
  await once(socket, 'open');
  socket.send(Buffer.from('hello'));
  assert.equal(await closed(socket), 1005);
  assert.deepEqual(received, ['hello', 'end', 'bye']);
  assert.deepEqual(seen, {
    ref: 'a/b',
    stdin: true,
    stdout: true,
    stderr: false,
    logs: false,
    stream: true,
    detachKeys: 'ctrl-c',
  });
});

test('attach/ws: clients before 1.42 get every stream, those before 1.28 text', async (t) => {
  let seen: Record<string, unknown> = {};
  const services = containers(async (_ref, options) => {
    seen = { ...options };
    return cat();
  });
  const socket = await open(t, services, '/v1.27/containers/a/attach/ws?stream=1');
  await once(socket, 'open');
  socket.send('end');
  const [message] = await once(socket, 'message');
  assert.equal((message as MessageEvent).data, 'end');
  assert.deepEqual([seen.stdin, seen.stdout, seen.stderr], [true, true, true]);
  await closed(socket);
});

test('attach/ws: a message above the limit closes the connection and detaches the client', async (t) => {
  const aborted = Promise.withResolvers<void>();
  const services = containers(async (_ref, { signal }) => {
    signal?.addEventListener('abort', () => aborted.resolve());
    return cat();
  });
  const socket = await open(t, services, '/containers/a/attach/ws?stream=1&stdin=1&stdout=1');
  socket.addEventListener('error', () => {});
  await once(socket, 'open');
  socket.send(Buffer.alloc(1024 * 1024 + 1));
  assert.ok([1006, 1009].includes(await closed(socket)));
  await aborted.promise;
});

test('attach/ws: output waits for a client that does not read', async (t) => {
  let produced = 0;
  async function* endless(): AsyncGenerator<OutputChunk> {
    for (;;) {
      produced += 1;
      yield { stream: 'stdout', data: Buffer.alloc(65_536) };
    }
  }
  const attachment = { tty: true, output: endless(), stdin: undefined, detached: never };
  const server = await serve(
    t,
    containers(async () => attachment),
  );
  const lines = Object.entries({ ...handshake, 'sec-websocket-key': key }).map(([name, value]) => `${name}: ${value}`);
  const socket = await server.raw(
    ['GET /containers/a/attach/ws?stream=1&stdout=1 HTTP/1.1', 'Host: x', ...lines, '', ''].join('\r\n'),
  );
  await once(socket, 'readable');
  for (let before = -1; before !== produced && produced < 100; await pause(100)) before = produced;
  assert.ok(produced < 100, `${produced} chunks`);
  socket.destroy();
});

test('attach/ws: a missing container is a 404 before the upgrade, a bad handshake a 400', async (t) => {
  const missing = await serve(t, {
    containers: {
      inspect: async () => {
        throw new NetyardError('not-found', 'No such container: a');
      },
    },
  });
  const headers = Object.entries({ ...handshake, 'Sec-WebSocket-Key': key }).map(([n, v]) => `${n}: ${v}\r\n`);
  const ask = (lines: string): string => `GET /containers/a/attach/ws HTTP/1.1\r\nHost: x\r\n${lines}\r\n`;
  const answer = await readAll(await missing.raw(ask(headers.join(''))));
  assert.match(answer, /^HTTP\/1\.1 404 Not Found\r\n.*\{"message":"No such container: a"\}/s);

  const server = await serve(
    t,
    containers(async () => cat()),
  );
  assert.equal((await server.send('GET', '/containers/a/attach/ws')).status, 400);
  const protocol = await readAll(await server.raw(ask(`${headers.join('')}Sec-WebSocket-Protocol: ,,\r\n`)));
  assert.match(protocol, /^HTTP\/1\.1 400 Bad Request\r\n/);
  assert.equal((await server.send('GET', '/_ping')).status, 200);
});

test('requests that are not a handshake are rejected', () => {
  const good = { ...handshake, 'sec-websocket-key': key };
  checkHandshake({ method: 'GET', headers: good });
  const bad = [
    { ...good, upgrade: 'tcp' },
    { ...good, connection: 'close' },
    { ...good, 'sec-websocket-version': '12' },
    { ...good, 'sec-websocket-key': 'short' },
  ];
  for (const headers of bad) assert.throws(() => checkHandshake({ method: 'GET', headers }), /bad WebSocket handshake/);
  assert.throws(() => checkHandshake({ method: 'POST', headers: good }), /bad WebSocket handshake/);
});
