/** The trace route: what is observed reaches the daemon, every end of the connection ends it, peers are forwarded to. */
import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import { NetyardError } from '@netyard/core';
import type { Networks } from '@netyard/sandbox';
import type { ApiOptions, FlowRequest } from '../src/options.ts';
import { readAll, readUntil, serve } from './client.ts';

const upgrade = (query: string): string =>
  `POST /netyard/v1/trace?${query} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n`;

/** Answers each line with itself until the input ends. */
function fakeFlows(): { options: Pick<ApiOptions, 'openFlow'>; asked: FlowRequest[]; closed: Promise<void> } {
  const asked: FlowRequest[] = [];
  const closed = Promise.withResolvers<void>();
  const openFlow: ApiOptions['openFlow'] = async (request) => {
    if (request.target === 'absent') throw new NetyardError('not-found', 'no such container: absent');
    asked.push(request);
    return {
      serve: async ({ input, output }) => {
        output.write('view\n');
        for await (const line of input) output.write(line);
      },
      close: () => closed.resolve(),
    };
  };
  return { options: { openFlow }, asked, closed: closed.promise };
}

test('a flow is observed as long as the connection is open', async (t) => {
  const { options, asked, closed } = fakeFlows();
  const server = await serve(t, {}, {}, options);
  const socket = await server.raw(upgrade('target=web&protocol=tcp&port=80'));
  assert.match(await readUntil(socket, /view\n/), /^HTTP\/1\.1 101 /);
  socket.write('question\n');
  await readUntil(socket, /question\n/);
  assert.deepEqual(asked, [{ target: 'web', protocol: 'tcp', port: 80 }]);
  socket.destroy();
  await closed;
});

test('requests that describe no flow are rejected', async (t) => {
  const { options, asked } = fakeFlows();
  const server = await serve(t, {}, {}, options);
  for (const [query, status] of [
    ['protocol=tcp&port=80', 400],
    ['target=web&protocol=sctp&port=80', 400],
    ['target=web&protocol=tcp', 400],
    ['target=web&protocol=icmp&port=80', 400],
    ['target=web&protocol=tcp&port=70000', 400],
    ['target=web&protocol=tcp&port=-1', 400],
    [`target=${'a'.repeat(300)}&protocol=icmp`, 400],
    ['target=absent&protocol=icmp', 404],
  ] as const) {
    const head = await readAll(await server.raw(upgrade(query)));
    assert.match(head, new RegExp(`^HTTP/1\\.1 ${status} `), query);
  }
  assert.deepEqual(asked, []);
});

test('a flow on a peer is observed through its API, with the certificate of this host', async (t) => {
  const record = { name: 'server2', address: '172.16.2.102', subnets: [], via: 'auto', created: 0n };
  const state = { record, origin: 'request' } as unknown as Awaited<ReturnType<Networks['peer']>>;
  const peer = async (): Promise<typeof state> => state;
  const called: unknown[] = [];
  const ended = Promise.withResolvers<void>();
  const tracePeer: ApiOptions['tracePeer'] = async (...call) => {
    called.push(call.slice(0, 3));
    return new Duplex({
      read: () => undefined,
      write(chunk: Buffer, _, done) {
        this.push(`peer: ${chunk}`);
        done();
      },
      destroy: (_, done) => {
        ended.resolve();
        done(null);
      },
    });
  };
  const server = await serve(t, {}, { peer }, { tracePeer });
  const query = 'peer=server2&target=web&protocol=udp&port=53';
  const refused = await readAll(await server.raw(upgrade(query)));
  assert.match(refused, /^HTTP\/1\.1 409 .*peer server2 has no API to trace through\\nadd it with an API/s);
  const api = { url: 'https://172.16.2.102:2376', ca: '/ca', certificate: '/cert', key: '/key' };
  state.record = { ...state.record, api };
  const socket = await server.raw(upgrade(query));
  socket.write('question\n');
  await readUntil(socket, /peer: question\n/);
  assert.deepEqual(called, [['server2', api, { target: 'web', protocol: 'udp', port: 53 }]]);
  socket.destroy();
  await ended.promise;
});
