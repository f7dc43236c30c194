/** The capture route: options reach the network package, packets are sent as pcapng, every way to end a capture. */
import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import { NetyardError } from '@netyard/core';
import type { CaptureRequest, CaptureSession, Networks } from '@netyard/sandbox';
import type { ClusterAdapter } from '../src/options.ts';
import { describePlace } from '../src/pcapng/capture-file.ts';
import { readAll, readUntil, serve } from './client.ts';

const source: CaptureSession['source'] = {
  ...{ kind: 'container', name: 'web', id: '0123456789abcdef', link: 'eth0', mac: '02:42:ac:11:00:02' },
  ...{ addresses: ['172.17.0.2/16'], otherLinks: [] },
};
const packet = { seconds: 1, nanoseconds: 2, originalLength: 8, data: Buffer.from('datagram') };

/** A capture that yields one packet and then runs until it is stopped or closed. */
function fakeNetworks(more: { problem?: string } = {}) {
  const asked: CaptureRequest[] = [];
  const ended = Promise.withResolvers<'stopped' | 'closed'>();
  const networks: Partial<Networks> = {
    peer: async (name) => {
      throw new NetyardError('not-found', `peer ${name} not found`);
    },
    capture: async (request) => {
      asked.push(request);
      if (request.filter === 'bad') throw new NetyardError('invalid', 'syntax error');
      return {
        source,
        names: [{ address: '172.17.0.2', name: 'web' }],
        packets: {
          linkType: 1,
          snapLength: 262144,
          packets: async function* () {
            yield [packet];
            if (more.problem !== undefined) throw new NetyardError('unavailable', more.problem);
            await ended.promise;
          },
          stop: () => ended.resolve('stopped'),
          statistics: () => ({ captured: 1, received: 3, dropped: 2 }),
          close: () => ended.resolve('closed'),
        },
      };
    },
  };
  return { networks, asked, ended: ended.promise };
}

const upgrade = (query: string): string =>
  `POST /netyard/v1/capture?${query} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n`;

test('POST sends packets at once; the end of the input stops the capture, and statistics still arrive', async (t) => {
  const { networks, asked, ended } = fakeNetworks();
  const server = await serve(t, {}, networks);
  const socket = await server.raw(upgrade('target=web&filter=tcp%20port%2080&link=eth0&count=5&snapLength=96'));
  const head = await readUntil(socket, /datagram/);
  assert.match(head, /^HTTP\/1\.1 101 .*Content-Type: application\/x-pcapng\r\n/s);
  assert.match(head, /eth0 of container web \(0123456789ab\) on host host-1, filter: tcp port 80/);
  assert.deepEqual(asked, [{ target: 'web', link: 'eth0', filter: 'tcp port 80', snapLength: 96, count: 5 }]);
  socket.end();
  assert.equal(await ended, 'stopped');
  const tail = await readAll(socket);
  assert.equal(tail.charCodeAt(0), 5, 'the statistics block');
});

test('a capture on one of several bridges of a network says what it does not show', () => {
  const of = (link: string, ...otherLinks: string[]): string =>
    describePlace({ ...source, kind: 'network', name: 'large', link, otherLinks });
  assert.equal(of('br-1'), 'br-1 of network large (0123456789ab)');
  assert.equal(of('br-1', 'nyb1', 'nyb2'), 'br-1 of network large (0123456789ab), without what stays on nyb1, nyb2');
  assert.match(
    of('nyb1', 'br-1', 'nyb2', 'nyb3', 'nyb4', 'nyb5'),
    /, without what stays on br-1, nyb2, nyb3 and 2 more$/,
  );
  assert.equal(describePlace({ ...source, otherLinks: ['eth1'] }), 'eth0 of container web (0123456789ab)');
});

test('a client that vanishes ends the capture', async (t) => {
  const { networks, ended } = fakeNetworks();
  const server = await serve(t, {}, networks);
  const socket = await server.raw(upgrade('target=web'));
  await readUntil(socket, /datagram/);
  socket.destroy();
  await ended;
});

test('GET streams the capture until the connection closes', async (t) => {
  const { networks, ended } = fakeNetworks();
  const server = await serve(t, {}, networks);
  const socket = await server.raw('GET /netyard/v1/capture?target=web HTTP/1.1\r\nHost: x\r\n\r\n');
  assert.match(await readUntil(socket, /datagram/), /^HTTP\/1\.1 200 OK\r\n/);
  socket.destroy();
  assert.equal(await ended, 'closed');
});

test('the last block says why a capture ended by itself', async (t) => {
  const { networks } = fakeNetworks({ problem: 'The interface disappeared' });
  const server = await serve(t, {}, networks);
  const text = await readAll(await server.raw(upgrade('target=web')));
  assert.match(text, /eth0 of container web \(0123456789ab\): The interface disappeared/);
});

test('rejected captures are error responses', async (t) => {
  const { networks } = fakeNetworks();
  const server = await serve(t, {}, networks);
  const refused = await server.send('GET', '/netyard/v1/capture?target=web&filter=bad');
  assert.deepEqual([refused.status, JSON.parse(refused.body).message], [400, 'syntax error']);
  const socket = await server.raw(upgrade('target=web&filter=bad'));
  assert.match(await readAll(socket), /^HTTP\/1\.1 400 Bad Request\r\n/);
  assert.equal((await server.send('GET', '/netyard/v1/capture?target=web&count=many')).status, 400);
});

test('a target on a peer is captured by the peer, or an error says that it has no API; other targets with a slash are local', async (t) => {
  const { networks, asked, ended } = fakeNetworks();
  const record = { name: 'server2', address: '172.16.2.102', subnets: [], via: 'auto', created: 0n } as const;
  const state = { record, origin: 'request' } as unknown as Awaited<ReturnType<Networks['peer']>>;
  const server = await serve(
    t,
    {},
    { ...networks, peer: async (name) => (name === 'server2' ? state : await never(name)) },
  );
  const refused = await server.send('GET', '/netyard/v1/capture?target=server2/web');
  assert.equal(refused.status, 409);
  assert.match(JSON.parse(refused.body).message, /^peer server2 has no API to capture through\nadd it with an API/);
  state.origin = 'cluster';
  const ofCluster = await server.send('GET', '/netyard/v1/capture?target=server2/web');
  assert.match(JSON.parse(ofCluster.body).message, /\ncapture through the peer's own daemon: netyard -H tcp/);
  const socket = await server.raw(upgrade('target=front/db'));
  await readUntil(socket, /datagram/);
  assert.equal(asked[0]?.target, 'front/db');
  socket.end();
  assert.equal(await ended, 'stopped');
  await readAll(socket);
});

test('a target on a cluster host is captured through its announced API; the own host works by name', async (t) => {
  const { networks, asked, ended } = fakeNetworks();
  const record = { name: 'node2', address: '172.16.0.12', subnets: [], via: 'auto', created: 0n } as const;
  const state = { record, origin: 'cluster' } as unknown as Awaited<ReturnType<Networks['peer']>>;
  const called: unknown[] = [];
  const announced = { url: 'https://172.16.0.12:2376', ca: '/ca', certificate: '/cert', key: '/key' };
  let api: typeof announced | undefined = announced;
  const server = await serve(
    t,
    {},
    { ...networks, peer: async (name) => (name === 'node2' ? state : await never(name)) },
    {
      cluster: { view: () => ({ hostName: 'node1' }) } as ClusterAdapter,
      clusterApi: (host) => {
        if (api) return api;
        throw new NetyardError('conflict', `host ${host} announces no API for captures`, { hint: 'do this' });
      },
      capturePeer: async (...call) => {
        called.push(call.slice(0, 3));
        return Duplex.from([Buffer.from('its file')]);
      },
    },
  );
  const passed = await server.send('GET', '/netyard/v1/capture?target=node2/web&count=2');
  assert.deepEqual([passed.status, passed.body], [200, 'its file']);
  assert.deepEqual(called, [['node2', announced, { target: 'web', count: 2 }]]);
  api = undefined;
  const refused = await server.send('GET', '/netyard/v1/capture?target=node2/web');
  assert.equal(refused.status, 409);
  assert.match(refused.body, /host node2 announces no API for captures\\ndo this/);
  const socket = await server.raw(upgrade('target=node1/web'));
  await readUntil(socket, /datagram/);
  assert.deepEqual(asked, [{ target: 'web' }]);
  socket.end();
  assert.equal(await ended, 'stopped');
  await readAll(socket);
});

async function never(name: string): Promise<never> {
  throw new NetyardError('not-found', `peer ${name} not found`);
}
