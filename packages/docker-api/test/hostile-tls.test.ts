/** TLS clients that never finish their handshake. Uses pre-shared keys: certificates make no difference here. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import type { ApiLimits } from '../src/http/limits.ts';
import { createApiServer } from '../src/index.ts';
import { readAll } from './client.ts';
import { fakeOptions } from './fake-engine.ts';

const psk = Buffer.alloc(32, 1);
const secret = { ciphers: 'PSK', minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' } as const;

async function listen(t: TestContext, limits: Partial<ApiLimits>): Promise<number> {
  const server = createApiServer({ ...fakeOptions({}), limits }, { ...secret, pskCallback: () => psk });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

async function ping(port: number): Promise<string> {
  const socket = connectTls({
    ...secret,
    host: '127.0.0.1',
    port,
    checkServerIdentity: () => undefined,
    pskCallback: () => ({ psk, identity: 'client' }),
  });
  await once(socket, 'secureConnect');
  socket.write('GET /_ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  return (await readAll(socket)).slice(0, 12);
}

/** The beginning of a TLS record with a ClientHello. */
const beginning = Buffer.from([22, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3]);

test('a handshake that stalls times out', async (t) => {
  const port = await listen(t, { handshakeMs: 200 });
  for (const bytes of [Buffer.alloc(0), beginning]) {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write(bytes);
    socket.resume();
    await once(socket, 'close');
    assert.equal(await ping(port), 'HTTP/1.1 200');
  }
});

test('connections without a handshake are closed in favour of clients that finish theirs', async (t) => {
  const port = await listen(t, { tcpConnections: 50 });
  const idle: Socket[] = [];
  t.after(() => {
    for (const socket of idle) socket.destroy();
  });
  let open = 0;
  for (let count = 0; count < 500; count += 1) {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.on('close', () => {
      open -= 1;
    });
    open += 1;
    socket.resume();
    if (count % 2 === 0) socket.write(beginning);
    idle.push(socket);
    if (count % 100 === 99) assert.equal(await ping(port), 'HTTP/1.1 200');
  }
  while (open > 50) await sleep(20);
  assert.equal(await ping(port), 'HTTP/1.1 200');
});
