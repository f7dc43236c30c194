/** Handling of every request before its route: versions, headers, bad input. */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { NetyardError } from '@netyard/core';
import { readAll, readUntil, serve } from './client.ts';
import { someRecord } from './fake-engine.ts';

test('_ping answers GET and HEAD with the headers for version negotiation', async (t) => {
  const server = await serve(t, {});
  const answer = await server.send('GET', '/_ping');
  assert.equal(answer.status, 200);
  assert.equal(answer.body, 'OK');
  assert.equal(answer.headers['api-version'], '1.52');
  assert.equal(answer.headers['ostype'], 'linux');
  assert.equal(answer.headers['docker-experimental'], 'false');
  assert.equal(answer.headers['swarm'], 'inactive');
  assert.match(String(answer.headers['server']), /^Netyard\/0\.1\.0 \(linux\)$/);
  const head = await server.send('HEAD', '/v1.30/_ping');
  assert.deepEqual([head.status, head.body], [200, '']);
  assert.equal((await server.send('OPTIONS', '/v1.40/anything')).status, 200);
});

test('versions outside 1.24 … 1.52 are rejected with Docker’s message', async (t) => {
  const server = await serve(t, {});
  const message = async (path: string) => JSON.parse((await server.send('GET', path)).body).message;
  assert.equal(await message('/v1.99/_ping'), 'client version 1.99 is too new. Maximum supported API version is 1.52');
  assert.match(
    await message('/v1.23/_ping'),
    /client version 1\.23 is too old\. Minimum supported API version is 1\.24/,
  );
  assert.equal((await server.send('GET', '/v1.99/_ping')).status, 400);
});

test('unknown routes, bad escapes and dots in a path are errors', async (t) => {
  const asked: string[] = [];
  const server = await serve(t, {
    containers: {
      inspect: async (ref) => {
        asked.push(ref);
        throw new NetyardError('not-found', `No such container: ${ref}`);
      },
    },
  });
  for (const path of ['/', '/v1.51/nothing', '/containers', '/containers/a/nothing', '/../etc/passwd']) {
    const answer = await server.send('GET', path);
    assert.deepEqual([answer.status, answer.body], [404, '{"message":"page not found"}\n'], path);
  }
  assert.equal((await server.send('GET', '/containers/%zz/json')).status, 400);
  assert.equal((await server.send('GET', '/containers/a%00b/json')).status, 400);
  const dots = await server.send('GET', '/v1.43/containers/%2e%2e%2f%2e%2e/json');
  assert.deepEqual([dots.status, JSON.parse(dots.body).message], [404, 'No such container: ../..']);
  assert.equal((await server.send('GET', '/containers/nginx-3/web1/json')).status, 404);
  assert.deepEqual(asked, ['../..', 'nginx-3/web1']);
});

test('a range of events that ends before it begins is rejected', async (t) => {
  const server = await serve(t, { events: { subscribe: () => assert.fail('no events are read') } });
  const answer = await server.send('GET', '/v1.51/events?since=5&until=3.9');
  const message = '`since` time (5) cannot be after `until` time (3.9)';
  assert.deepEqual([answer.status, JSON.parse(answer.body)], [400, { message }]);
});

test('routes that Netyard does not implement answer so', async (t) => {
  const server = await serve(t, {});
  for (const path of ['/v1.51/swarm/init', '/v1.51/swarm/join', '/v1.51/session'])
    assert.equal((await server.send('POST', path)).status, 501, path);
  const plugins = await server.send('GET', '/v1.51/plugins');
  assert.deepEqual([plugins.status, JSON.parse(plugins.body)], [200, []]);
  const plugin = await server.send('GET', '/plugins/vieux/sshfs/json');
  assert.deepEqual([plugin.status, JSON.parse(plugin.body).message], [404, 'plugin "vieux/sshfs" not found']);
  const leave = await server.send('POST', '/swarm/leave');
  assert.deepEqual([leave.status, JSON.parse(leave.body).message], [503, 'This node is not part of a swarm']);
  for (const path of ['/services', '/secrets', '/configs', '/tasks', '/nodes/self', '/services/x/logs'])
    assert.match((await server.send('GET', path)).body, /^\{"message":"This node is not a swarm manager\. /, path);
});

test('malformed bodies and wrong content types, shapes and lengths are rejected', async (t) => {
  const server = await serve(t, { containers: { create: async () => ({ id: someRecord.id, warnings: [] }) } });
  const create = '/v1.50/containers/create';
  const message = async (body: string, headers: Record<string, string> = {}) => {
    const answer = await server.send('POST', create, { body, headers });
    assert.equal(answer.status, 400, answer.body);
    return JSON.parse(answer.body).message;
  };
  assert.match(await message('{"Image": '), /^invalid JSON: /);
  assert.match(
    await message('{"Image": 7}'),
    /^invalid JSON: json: cannot unmarshal number into Go struct field Image of type string$/,
  );
  assert.match(
    await message('{"HostConfig": {"Memory": "1g"}}'),
    /^invalid JSON: json: cannot unmarshal string into Go struct field HostConfig\.Memory of type int64$/,
  );
  assert.match(await message('[]'), /^invalid JSON: /);
  assert.equal(
    await message('{}', { 'Content-Type': 'text/plain' }),
    "unsupported Content-Type header (text/plain): must be 'application/json'",
  );
  assert.match(await message('{}', { 'Content-Type': '' }), /^malformed Content-Type header/);
  assert.equal(await message(''), 'invalid JSON: got EOF while reading request body');
  const again = await server.send('POST', create, { body: '{"Image":"a"}' });
  assert.equal(again.status, 201);
});

test('a body of a gigabyte is rejected before it is read', async (t) => {
  const server = await serve(t, {});
  const head = 'POST /v1.50/containers/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n';
  const declared = await server.raw(`${head}Content-Length: 1073741824\r\n\r\n{`);
  assert.match(await readAll(declared), /^HTTP\/1\.1 413 .*Connection: close/s);
  const chunked = await server.raw(`${head}Transfer-Encoding: chunked\r\n\r\n`);
  chunked.on('error', () => {}); // the server closes while we write
  const parted = new Promise((resolve) => chunked.on('close', resolve));
  let answer = '';
  chunked.on('data', (piece) => {
    answer += piece;
  });
  function* gigabyte(): Generator<string> {
    for (let sent = 0; sent < 1024 * 16; sent += 1) yield `10000\r\n${' '.repeat(0x10000)}\r\n`;
  }
  Readable.from(gigabyte()).pipe(chunked);
  await parted;
  assert.match(answer, /^HTTP\/1\.1 413 /);
});

test('a client that is rejected while sending can read why: the connection ends afterwards', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let refuse = (): void => {};
  const refused = new Promise<void>((resolve) => {
    refuse = resolve;
  });
  const server = await serve(t, {
    images: {
      async *load(archive) {
        archive.once('close', refuse);
        for await (const _ of archive) throw new NetyardError('invalid', 'invalid tar archive: a bad header');
        yield { status: 'never' };
      },
    },
  });
  for (const path of ['/images/load', '/swarm/init']) {
    const client = await server.raw(`POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1073741824\r\n\r\n`);
    let answer = '';
    const failed = new Promise<never>((_, reject) => client.once('error', reject));
    const read = new Promise<void>((resolve) => {
      client.on('data', (piece) => {
        answer += piece;
        if (answer.endsWith('}\n') || answer.endsWith('\r\n0\r\n\r\n')) resolve(); // of known length, or chunked
      });
    });
    client.write(Buffer.alloc(8 * 1024 * 1024));
    await Promise.race([read, failed]);
    assert.match(
      answer,
      path === '/images/load' ? /^HTTP\/1\.1 200 .*"errorDetail":.*a bad header/s : /^HTTP\/1\.1 501 /,
    );
    // It is still open after another request.
    assert.equal((await server.send('GET', '/_ping')).status, 200);
    assert.ok(!client.readableEnded && client.writable);
    client.removeAllListeners('error').on('error', () => {}); // writes after the server has closed
    const parted = new Promise((resolve) => client.once('close', resolve));
    t.mock.timers.tick(1_000);
    await parted;
  }
  await refused;
});

test('the reader of an upload gets an error when the client disconnects', async (t) => {
  let report = (_error: unknown): void => {};
  const failed = new Promise<unknown>((resolve) => {
    report = resolve;
  });
  const server = await serve(t, {
    images: {
      async *load(archive) {
        yield { status: 'reading' };
        try {
          for await (const _ of archive);
          report('whole');
        } catch (error) {
          report(error);
          throw error;
        }
      },
    },
  });
  const client = await server.raw('POST /images/load HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc');
  await readUntil(client, /reading/);
  client.destroy();
  assert.ok((await failed) instanceof Error);
});

test('input that is not HTTP gets a 400 and the server continues', async (t) => {
  const server = await serve(t, {});
  const garbage = [
    'nonsense\r\n\r\n',
    'POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Length: ten\r\n\r\n{}',
    'POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}',
    'GET /_ping HTTP/1.1\r\nHost x\r\n\r\n',
  ];
  for (const text of garbage) assert.match(await readAll(await server.raw(text)), /^HTTP\/1\.1 400 /, text);
  const headers = `GET /_ping HTTP/1.1\r\nHost: x\r\nX-Long: ${'x'.repeat(300_000)}\r\n\r\n`;
  const long = await server.raw(headers);
  long.on('error', () => {});
  assert.match(await readAll(long).catch(() => 'HTTP/1.1 431 '), /^HTTP\/1\.1 431 /);
  const cut = await server.raw(
    'POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{',
  );
  cut.end();
  await readAll(cut);
  assert.equal((await server.send('GET', '/_ping')).status, 200);
});

test('error codes become statuses, hints a separate line', async (t) => {
  const error = new NetyardError('conflict', 'name is in use', { hint: 'take another' });
  const server = await serve(t, {
    containers: {
      pause: async () => {
        throw error;
      },
      unpause: async () => {
        throw new NetyardError('conflict', 'stopped', { hint: 'first `docker start a`' });
      },
      start: async () => {
        throw new NetyardError('not-modified', '');
      },
      kill: async () => {
        throw new TypeError('a bug');
      },
    },
  });
  const paused = await server.send('POST', '/containers/a/pause');
  assert.deepEqual([paused.status, JSON.parse(paused.body).message], [409, 'name is in use\ntake another']);
  const asked = async (headers: Record<string, string>) =>
    JSON.parse((await server.send('POST', '/containers/a/unpause', { headers })).body).message;
  assert.equal(await asked({ 'User-Agent': 'Docker-Client/28' }), 'stopped\nfirst `docker start a`');
  assert.equal(await asked({ 'User-Agent': 'Netyard-Client' }), 'stopped\nfirst `netyard start a`');
  const started = await server.send('POST', '/containers/a/start');
  assert.deepEqual([started.status, started.body], [304, '']);
  assert.deepEqual((await server.send('POST', '/containers/a/kill')).status, 500);
  assert.equal((await server.send('POST', '/grpc')).status, 501);
});

test('login checks the credentials at the registry', async (t) => {
  const server = await serve(t, {});
  const login = (username: string) =>
    server.send('POST', '/auth', { body: { username, password: 'p', serveraddress: 'registry:5000' } });
  assert.equal(JSON.parse((await login('known')).body).Status, 'Login Succeeded');
  assert.equal((await login('other')).status, 401);
});

test('pruning volumes includes those with names before API 1.42', async (t) => {
  const asked: (readonly string[] | undefined)[] = [];
  const server = await serve(t, {
    volumes: {
      async prune(filters) {
        asked.push(filters.get('all'));
        return { deleted: [], reclaimed: 0 };
      },
    },
  });
  for (const version of ['1.41', '1.42']) await server.send('POST', `/v${version}/volumes/prune`);
  await server.send('POST', '/v1.41/volumes/prune?filters={"all":["false"]}');
  assert.deepEqual(asked, [['true'], undefined, ['false']]);
});

test('inspect of an image has ContainerConfig before API 1.45, and for docker-compose 1', async (t) => {
  const config = { user: '', exposed: [], env: ['A=b'], command: ['sh'], volumes: ['/data'], workingDirectory: '/' };
  const more = {
    entrypoint: [],
    labels: {},
    stopSignal: '',
    history: [],
    architecture: 'amd64',
    os: 'linux',
    diffIds: [],
  };
  const record = {
    id: 'sha256:1',
    configDigest: 'sha256:1',
    layers: [],
    tags: [],
    digests: [],
    created: 0n,
    size: 1,
    lastTagged: 0n,
    config: { ...config, ...more },
  };
  const server = await serve(t, { images: { get: async () => record } });
  const volumesOf = async (version: string, headers: Record<string, string> = {}): Promise<unknown> =>
    JSON.parse((await server.send('GET', `/v${version}/images/a/json`, { headers })).body).ContainerConfig?.Volumes;
  assert.deepEqual(await volumesOf('1.44'), { '/data': {} });
  assert.equal(await volumesOf('1.45'), undefined);
  const old = { 'User-Agent': 'docker-compose/1.29.2 docker-py/5.0.3 Linux/6.1.0' };
  assert.deepEqual(await volumesOf('1.51', old), { '/data': {} });
  assert.equal(await volumesOf('1.51', { 'User-Agent': 'docker-compose/v2.40.3' }), undefined);
});

test('each request that has a route is reported once, by its pattern, with its status', async (t) => {
  const handled: string[] = [];
  const server = await serve(
    t,
    {
      containers: {
        start: async (ref) => {
          if (ref !== 'web') throw new NetyardError('not-found', `No such container: ${ref}`);
        },
      },
    },
    undefined,
    {
      noteHandled({ method, route, status, seconds }) {
        assert.ok(seconds >= 0);
        handled.push(`${method} ${route} ${status}`);
      },
    },
  );
  await server.send('POST', '/v1.41/containers/web/start');
  await server.send('POST', '/containers/other/start');
  await server.send('GET', '/nothing');
  assert.deepEqual(handled, ['POST /containers/:id/start 204', 'POST /containers/:id/start 404']);
});
