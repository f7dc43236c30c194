import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { isNetyardError } from '@netyard/core';
import { resolveAddress } from './address.ts';
import { openClient } from './client.ts';
import { connectionError, daemonError } from './errors.ts';
import { demultiplex, jsonLines } from './streams.ts';
import { pathOf, segmentOf } from './transport.ts';
import { compareVersions, negotiateVersion, newestApiVersion } from './version.ts';

test('the address comes from the flag, then NETYARD_HOST, then DOCKER_HOST, then the default', () => {
  const env = { NETYARD_HOST: 'unix:///n', DOCKER_HOST: 'unix:///d' };
  const textOf = (request: Parameters<typeof resolveAddress>[0]): string => resolveAddress(request).text;
  assert.equal(textOf({ host: 'unix:///h', env }), 'unix:///h');
  assert.equal(textOf({ env }), 'unix:///n');
  assert.equal(textOf({ env: { ...env, NETYARD_HOST: '' } }), 'unix:///d');
  assert.equal(textOf({ env: {} }), 'unix:///run/netyard/netyard.sock');
});

test('tcp addresses are parsed, with and without TLS', () => {
  const plain = resolveAddress({ host: 'tcp://[::1]:4000', env: {} });
  assert.deepEqual(plain, { kind: 'tcp', text: 'tcp://[::1]:4000', host: '::1', port: 4000, tls: undefined });
  const bare = resolveAddress({ host: 'server:1', env: {} });
  assert.equal(bare.text, 'tcp://server:1');
  const secure = resolveAddress({ host: 'tcp://h', env: { DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: '/c' } });
  assert.ok(secure.kind === 'tcp');
  assert.deepEqual([secure.port, secure.tls?.ca, secure.tls?.verify], [2376, '/c/ca.pem', true]);
});

test('invalid addresses are rejected', () => {
  for (const host of ['unix://relative', 'ssh://h', 'ftp://h', 'tcp://', 'tcp://h:0', 'tcp://h:99999', 'tcp://a:b:c']) {
    assert.throws(
      () => resolveAddress({ host, env: {} }),
      (error) => isNetyardError(error, 'invalid') && error.message.includes(host),
    );
  }
});

async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const frameOf = (kind: number, text: string): Buffer => {
  const header = Buffer.from([kind, 0, 0, 0, 0, 0, 0, 0]);
  header.writeUInt32BE(Buffer.byteLength(text), 4);
  return Buffer.concat([header, Buffer.from(text)]);
};

test('multiplexed output is decoded, however it is split', async () => {
  const bytes = Buffer.concat([frameOf(1, 'hello'), frameOf(2, 'problem'), frameOf(1, ''), frameOf(1, '!')]);
  for (const size of [1, 3, 7, 8, 9, 1000]) {
    const text = { stdout: '', stderr: '' };
    for await (const { stream, data } of demultiplex(pieces(bytes, size))) text[stream] += Buffer.from(data).toString();
    assert.deepEqual(text, { stdout: 'hello!', stderr: 'problem' });
  }
});

test('an error of the daemon inside the stream is thrown, and so is an invalid frame', async () => {
  const read = async (bytes: Buffer): Promise<void> => {
    for await (const _frame of demultiplex(pieces(bytes, 100)));
  };
  await assert.rejects(read(frameOf(3, 'went wrong')), /went wrong/);
  await assert.rejects(read(Buffer.from('HTTP/1.1 404')), /unrecognized input header: 72/);
});

test('JSON lines are decoded when split inside a character, and without a last newline', async () => {
  const bytes = Buffer.from('{"a":"ü"}\n\n{"a":"b"}\r\n{"a":"c"}');
  for (const size of [1, 4, 100]) {
    const found: unknown[] = [];
    for await (const value of jsonLines<{ a: string }>(pieces(bytes, size))) found.push(value.a);
    assert.deepEqual(found, ['ü', 'b', 'c']);
  }
  await assert.rejects(async () => {
    for await (const _value of jsonLines(pieces(Buffer.from('<html>'), 10)));
  }, /invalid JSON: <html>/);
});

test('versions', () => {
  assert.ok(compareVersions('1.9', '1.44') < 0);
  assert.equal(negotiateVersion('1.41'), '1.41');
  assert.equal(negotiateVersion('1.99'), newestApiVersion);
  assert.equal(negotiateVersion(undefined), '1.24');
  assert.equal(negotiateVersion('nonsense'), '1.24');
});

test('errors keep the daemon’s message; a proxy’s page is shown unchanged', () => {
  const missing = daemonError(404, '{"message":"No such container: x"}', 'GET /x');
  assert.deepEqual([missing.code, missing.message, missing.status], ['not-found', 'No such container: x', 404]);
  assert.equal(daemonError(502, 'Bad Gateway\n', 'GET /x').message, 'Bad Gateway');
  assert.equal(daemonError(500, '', 'GET /x').message, 'GET /x returned status 500');
});

test('a failed connection says that the daemon does not run or that access is denied', () => {
  const address = resolveAddress({ env: {} });
  const refused = connectionError(address, Object.assign(new Error(), { code: 'ECONNREFUSED' }));
  assert.match(refused.message, /^Cannot connect to the Netyard daemon at unix:\/\/\S+\. Is the daemon running\?$/);
  assert.match(refused.hint ?? '', /netyard daemon/);
  assert.equal(connectionError(address, Object.assign(new Error(), { code: 'EACCES' })).code, 'forbidden');
});

test('names are escaped in paths', () => {
  assert.equal(segmentOf('parent/alias'), 'parent%2Falias');
  assert.equal(pathOf('parent/alias'), 'parent/alias');
  assert.equal(pathOf('registry:5000/a@sha256:1'), 'registry:5000/a@sha256:1');
  assert.equal(pathOf('../x?y#z'), '../x%3Fy%23z');
});

test('an answer without end is read up to a limit, of every route', async (context) => {
  const server = createServer((request, response) => {
    const write = (): void => {
      while (!response.destroyed && response.write('x'.repeat(500)));
    };
    response.setHeader('Api-Version', '1.50');
    if (request.url === '/_ping') return void response.end();
    response.on('drain', write);
    write();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const host = `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = openClient({ host, env: {}, maxAnswer: 10_000 });
  const { system, peers, containers, cluster } = client;
  for (const ask of [
    () => system.explain('web'),
    () => system.checks(),
    () => system.page(),
    () => system.cleanup({ dryRun: true }),
    () => system.version(),
    () => peers.remove('server2'),
    () => containers.inspect('web'),
    () => containers.start('web'),
    () => cluster.leave(),
  ])
    await assert.rejects(ask(), /an answer is longer than 10000 bytes/);
});
