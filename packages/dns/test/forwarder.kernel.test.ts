/** Forwarding to servers on the loopback of a host without any route. */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { test } from 'node:test';
import { inFreshHost } from '@netyard/testkit';
import { encode, type RecordType } from 'dns-packet';
import { Forwarder } from '../src/forwarder.ts';
import { bareAnswer, rcodeOf } from '../src/message.ts';
import { ServerHealth } from '../src/server-health.ts';

const host = inFreshHost(import.meta.url);
const query = encode({ type: 'query', id: 99, questions: [{ type: 'A' as RecordType, name: 'example.org' }] });

test('a server without a route, of another family or without a program is followed by the next', host, async () => {
  const server = createSocket('udp4', (message, { port, address }) =>
    server.send(bareAnswer(message, 0), port, address),
  );
  server.bind(0, '127.0.0.1');
  await once(server, 'listening');
  const forwarder = new Forwarder({ limit: 8, port: server.address().port });
  const health = new ServerHealth();
  const ask = (servers: string[], transport: 'udp' | 'tcp' = 'udp') =>
    forwarder.ask(query, { servers, health, holder: 'c' }, transport);
  const answer = await ask(['203.0.113.1', '2001:db8::1', '127.0.0.1']);
  assert.equal(answer && rcodeOf(answer), 0);
  assert.equal(answer?.readUInt16BE(0), 99);
  assert.equal(await ask(['203.0.113.1', '127.0.0.9']), undefined);
  assert.equal(await ask(['127.0.0.9'], 'tcp'), undefined);
  assert.equal(await ask([]), undefined);
  server.close();
});

test(
  'a socket that cannot be opened fails the query, and no more queries than the limit are pending',
  host,
  async () => {
    const forwarder = new Forwarder({ limit: 2, port: 9 });
    const open = (): number => {
      throw new Error('the namespace is gone');
    };
    const upstreams = { servers: ['127.0.0.1'], health: new ServerHealth(), holder: 'c' };
    for (const transport of ['udp', 'tcp'] as const)
      assert.equal(await forwarder.ask(query, { ...upstreams, open }, transport), undefined);
    const silent = createSocket('udp4');
    silent.bind(0, '127.0.0.1');
    await once(silent, 'listening');
    const limited = new Forwarder({ limit: 2, port: silent.address().port });
    const pending = [limited.ask(query, upstreams, 'udp'), limited.ask(query, { ...upstreams, holder: 'd' }, 'udp')];
    assert.equal(await limited.ask(query, { ...upstreams, holder: 'e' }, 'udp'), undefined);
    silent.close();
    await Promise.all(pending);
  },
);
