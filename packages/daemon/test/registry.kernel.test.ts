/** Pull and push against Debian's docker-registry, and against misbehaving registries, all on loopback. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { Progress } from '@netyard/engine';
import { openRegistry } from '@netyard/runtime';
import { inFreshHost } from '@netyard/testkit';
import { collect, dockerArchive, type ImageHost, load, nothing, sha256, startImageHost, tarOf } from './image-host.ts';
import { type PrivateRegistry, startRegistry } from './private-registry.ts';

const fresh = inFreshHost(import.meta.url);
const options = fresh.skip || existsSync('/usr/bin/docker-registry') ? fresh : { skip: 'needs docker-registry' };
const never = new AbortController().signal;
// htpasswd -B: the password is `secret`
const htpasswd = 'netyard:$2b$04$RTepNCdQvoLKeuUtSIXfPuVZ6GVNyiB/1jbKCFIq85z.BZ0LVuSSe\n';

let host: ImageHost;
let registry: PrivateRegistry;
before(async () => {
  if (options.skip !== false) return;
  host = await startImageHost();
  registry = await startRegistry(5000);
});
after(async () => {
  await host?.[Symbol.asyncDispose]();
  await registry?.[Symbol.asyncDispose]();
});

const statuses = (lines: readonly Progress[]): (string | undefined)[] => [
  ...new Set(lines.map(({ status }) => status)),
];

async function removeAll(): Promise<void> {
  for (const { record } of await host.images.list({ all: true, digests: false, filters: new Map() })) {
    await host.images.remove(record.id, { force: true, noPrune: false });
  }
  assert.deepEqual(await host.leftovers(), nothing);
}

async function loadApp(name: string, size = 100): Promise<string> {
  const layers = [
    await tarOf([{ name: 'base', body: 'base' }]),
    await tarOf([{ name: name.replace(/\W/g, '-'), body: Buffer.alloc(size, name) }]),
  ];
  await load(host, await tarOf(dockerArchive({ tags: [name], layers })));
  return (await host.images.get(name)).id;
}

test('a pushed image is pulled again, with the lines that Docker prints', options, async () => {
  const name = `${registry.host}/team/app`;
  const id = await loadApp(`${name}:1`);
  const pushed = await collect(host.images.push(name, '1', {}, never));
  assert.deepEqual(statuses(pushed), [
    `The push refers to repository [${name}]`,
    'Preparing',
    'Pushing',
    'Pushed',
    pushed.at(-2)?.status,
    undefined,
  ]);
  const { Tag, Digest, Size } = pushed.at(-1)?.aux ?? {};
  assert.equal(pushed.at(-2)?.status, `1: digest: ${Digest} size: ${Size}`);
  assert.equal(Tag, '1');
  assert.deepEqual((await host.images.get(id)).digests, [`${name}@${Digest}`]);
  const again = await collect(host.images.push(name, '1', {}, never));
  assert.ok(statuses(again).includes('Layer already exists'));
  await removeAll();

  const pulled = await collect(host.images.pull(name, '1', {}, never));
  assert.equal(pulled[0]?.status, 'Pulling from team/app');
  assert.equal(pulled.at(-1)?.status, `Status: Downloaded newer image for ${name}:1`);
  for (const line of ['Pulling fs layer', 'Download complete', 'Pull complete', `Digest: ${Digest}`]) {
    assert.ok(statuses(pulled).includes(line), line);
  }
  assert.equal((await host.images.get(`${name}:1`)).id, id);
  assert.equal((await host.images.get(`${name}@${Digest}`)).id, id);
  const upToDate = await collect(host.images.pull(name, '1', {}, never));
  assert.ok(statuses(upToDate).includes(`Status: Image is up to date for ${name}:1`));
  assert.ok(statuses(upToDate).includes('Already exists'));
  const byDigest = await collect(host.images.pull(name, String(Digest), {}, never));
  assert.equal(byDigest.at(-1)?.status, `Status: Image is up to date for ${name}@${Digest}`);
  await removeAll();
});

test('without a tag all tags are pushed, and a missing one is an error', options, async () => {
  const name = `${registry.host}/all`;
  const id = await loadApp(`${name}:a`);
  await host.images.tag(id, name, 'b');
  const lines = await collect(host.images.push(name, '', {}, never));
  assert.deepEqual(
    lines.filter(({ aux }) => aux).map(({ aux }) => aux?.['Tag']),
    ['a', 'b'],
  );
  await assert.rejects(collect(host.images.push(name, 'c', {}, never)), {
    message: `tag does not exist: ${name}:c`,
  });
  const absent = host.images.push(`${name}/other`, 'c', {}, never);
  const first = await absent[Symbol.asyncIterator]().next();
  assert.deepEqual(first.value, { status: `The push refers to repository [${name}/other]` });
  await assert.rejects(collect(absent), { message: `An image does not exist locally with the tag: ${name}/other` });
  await removeAll();
});

test('a missing image, registry or name is reported', options, async () => {
  const name = `${registry.host}/absent`;
  await assert.rejects(collect(host.images.pull(name, '', {}, never)), {
    code: 'not-found',
    message: `manifest for ${name}:latest not found: manifest unknown: manifest unknown`,
  });
  await assert.rejects(collect(host.images.pull('127.0.0.1:1/x', '', {}, never)), {
    code: 'internal', // 500, as Docker answers
    message: 'Get "http://127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused',
  });
  await assert.rejects(collect(host.images.pull('Upper', '', {}, never)), {
    code: 'invalid',
    message: 'invalid reference format: repository name (library/Upper) must be lowercase',
  });
  assert.deepEqual(await host.leftovers(), nothing);
});

test('a registry with passwords requires credentials', options, async () => {
  await using closed = await startRegistry(5001, htpasswd);
  const name = `${closed.host}/app`;
  await loadApp(`${name}:1`);
  const right = { username: 'netyard', password: 'secret' };
  const registry = openRegistry();
  await registry.login(closed.host, right);
  await assert.rejects(registry.login(closed.host, { ...right, password: 'wrong' }), { code: 'unauthorized' });
  await assert.rejects(registry.login(closed.host, {}), /no basic auth credentials/);
  await assert.rejects(collect(host.images.push(name, '1', {}, never)), /no basic auth credentials/);
  await assert.rejects(collect(host.images.push(name, '1', { ...right, password: 'wrong' }, never)), {
    code: 'internal', // 500: clients would prompt for a password on 401, even without a terminal
    message: 'unauthorized: authentication required',
  });
  await collect(host.images.push(name, '1', right, never));
  await removeAll();
  await assert.rejects(collect(host.images.pull(name, '1', {}, never)), /no basic auth credentials/);
  await collect(host.images.pull(name, '1', right, never));
  await removeAll();
});

interface Fake extends AsyncDisposable {
  name: string;
  requests: IncomingMessage[];
}

async function startFake(answer: RequestListener): Promise<Fake> {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    requests.push(request);
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    name: `127.0.0.1:${port}/app`,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

interface FakeImage {
  layer: Buffer;
  blobs: Map<string, Buffer>;
  manifest: Buffer;
  digest: string;
}

async function fakeImage(size = 100): Promise<FakeImage> {
  const plain = await tarOf([
    { name: 'file', body: Buffer.from(Array.from({ length: size }, (_, i) => (i * i) % 251)) },
  ]);
  const layer = gzipSync(plain, { level: 0 });
  const config = Buffer.from(
    JSON.stringify({
      os: 'linux',
      architecture: 'amd64',
      rootfs: { type: 'layers', diff_ids: [`sha256:${sha256(plain)}`] },
    }),
  );
  const descriptor = (mediaType: string, body: Buffer) => ({
    mediaType,
    digest: `sha256:${sha256(body)}`,
    size: body.length,
  });
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: descriptor('application/vnd.oci.image.config.v1+json', config),
      layers: [descriptor('application/vnd.oci.image.layer.v1.tar+gzip', layer)],
    }),
  );
  const blobs = new Map([layer, config].map((body) => [`sha256:${sha256(body)}`, body]));
  return { layer, blobs, manifest, digest: `sha256:${sha256(manifest)}` };
}

function serve(image: FakeImage, request: IncomingMessage, response: ServerResponse): void {
  const last = request.url?.split('/').at(-1) ?? '';
  if (request.url === '/v2/') response.end('{}');
  else if (request.url?.includes('/manifests/')) {
    response.setHeader('content-type', 'application/vnd.oci.image.manifest.v1+json');
    response.end(image.manifest);
  } else {
    const body = image.blobs.get(last);
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    response.statusCode = body ? (from > 0 ? 206 : 200) : 404;
    if (body) response.setHeader('content-length', body.length - from);
    response.end(body?.subarray(from));
  }
}

test('a token is fetched as from Docker Hub', options, async () => {
  const image = await fakeImage();
  const asked: URL[] = [];
  await using fake = await startFake((request, response) => {
    const url = new URL(request.url ?? '', `http://${request.headers.host}`);
    if (url.pathname === '/token') {
      asked.push(url);
      response.end(JSON.stringify({ token: request.headers.authorization ? 'for netyard' : 'for anybody' }));
      return;
    }
    if (request.headers.authorization === 'Bearer for netyard') return serve(image, request, response);
    response.statusCode = 401;
    const code = request.headers.authorization ? 'DENIED' : 'UNAUTHORIZED';
    response.setHeader(
      'www-authenticate',
      `Bearer realm="http://${request.headers.host}/token",service="the, service"`,
    );
    response.end(JSON.stringify({ errors: [{ code, message: 'requested access to the resource is denied' }] }));
  });
  await assert.rejects(collect(host.images.pull(fake.name, '', {}, never)), {
    code: 'not-found',
    message: `pull access denied for ${fake.name}, repository does not exist or may require 'docker login': denied: requested access to the resource is denied`,
  });
  await collect(host.images.pull(fake.name, '', { username: 'netyard', password: 'secret' }, never));
  assert.equal(asked.at(-1)?.searchParams.get('service'), 'the, service');
  assert.equal(asked.at(-1)?.searchParams.get('scope'), 'repository:app:pull');
  assert.equal(asked.length, 2);
  await removeAll();
});

test('from an index, the image for this machine is chosen', options, async () => {
  const image = await fakeImage();
  const entry = (architecture: string, digest: string) => ({
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    digest,
    size: image.manifest.length,
    platform: { os: 'linux', architecture },
  });
  const here = process.arch === 'x64' ? 'amd64' : process.arch;
  const index = (architecture: string): Buffer =>
    Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        manifests: [entry('s390x', `sha256:${'0'.repeat(64)}`), entry(architecture, image.digest)],
      }),
    );
  let served = index('mips');
  await using fake = await startFake((request, response) => {
    if (!request.url?.endsWith('/manifests/latest')) return serve(image, request, response);
    response.setHeader('content-type', 'application/vnd.oci.image.index.v1+json');
    response.end(served);
  });
  await assert.rejects(collect(host.images.pull(fake.name, '', {}, never)), /no matching manifest for linux/);
  assert.deepEqual(await host.leftovers(), nothing);
  served = index(here);
  const lines = await collect(host.images.pull(fake.name, '', {}, never));
  assert.ok(lines.some(({ status }) => status === `Digest: sha256:${sha256(served)}`));
  await removeAll();
});

test('an interrupted download is resumed', options, async () => {
  const image = await fakeImage(3_000_000);
  let breaks = 3;
  await using fake = await startFake((request, response) => {
    const isLayer = request.url?.endsWith(sha256(image.layer)) ?? false;
    if (!isLayer || breaks === 0) return serve(image, request, response);
    breaks -= 1;
    const from = Number(/(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    response.writeHead(from > 0 ? 206 : 200, { 'content-length': image.layer.length - from });
    response.write(image.layer.subarray(from, from + 700_000), () => response.destroy());
  });
  await collect(host.images.pull(fake.name, '', {}, never));
  const ranges = fake.requests.map(({ headers }) => headers.range).filter((range) => range !== undefined);
  assert.ok(ranges.length > 0 && ranges.every((range) => range !== 'bytes=0-'));
  await removeAll();
});

test('after five interrupted attempts a pull fails, even if each made progress', options, async () => {
  const image = await fakeImage();
  let served = 0;
  await using fake = await startFake((request, response) => {
    if (!request.url?.endsWith(sha256(image.layer))) return serve(image, request, response);
    const from = Number(/(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    served += 1;
    response.writeHead(from > 0 ? 206 : 200, { 'content-length': image.layer.length - from });
    response.write(image.layer.subarray(from, from + 1), () => response.destroy());
  });
  await assert.rejects(collect(host.images.pull(fake.name, '', {}, never)), /aborted/);
  assert.equal(served, 5);
  await removeAll();
});

test('content that does not match its digest is rejected and not kept', options, async () => {
  const image = await fakeImage();
  const blob = `sha256:${sha256(image.layer)}`;
  image.blobs.set(blob, Buffer.from(image.layer).fill(7, 50, 60));
  await using fake = await startFake((request, response) => serve(image, request, response));
  await assert.rejects(collect(host.images.pull(fake.name, '', {}, never)), /digest is sha256:\w+, expected/);
  await assert.rejects(
    collect(host.images.pull(fake.name, `sha256:${'1'.repeat(64)}`, {}, never)),
    /manifest verification failed/,
  );
  assert.deepEqual(await host.leftovers(), nothing);
});

test('an aborted pull ends at once and leaves nothing behind', options, async () => {
  const image = await fakeImage(2_000_000);
  const stop = new AbortController();
  await using fake = await startFake((request, response) => {
    if (!request.url?.endsWith(sha256(image.layer))) return serve(image, request, response);
    response.writeHead(200, { 'content-length': image.layer.length });
    response.write(image.layer.subarray(0, 1_500_000), () => setTimeout(() => stop.abort(), 50));
  });
  await assert.rejects(collect(host.images.pull(fake.name, '', {}, stop.signal)), { name: 'AbortError' });
  assert.deepEqual(await host.leftovers(), nothing);
  assert.deepEqual((await host.containerd.client.content.listStatuses({})).statuses, []);
});

/** Sends as fast as the client reads, without an end. @returns the number of bytes that the connection accepted */
function sendForever(response: ServerResponse): () => number {
  const chunk = Buffer.alloc(256 * 1024, 'a');
  let sent = 0;
  const more = (): void => {
    while (!response.destroyed) {
      sent += chunk.length;
      if (!response.write(chunk)) break;
    }
  };
  response.on('drain', more);
  response.on('error', () => undefined);
  more();
  return () => sent;
}

const endless: [string, (url: string, image: FakeImage) => boolean, RegExp][] = [
  ['layer', (url, image) => url.endsWith(sha256(image.layer)), /more than the expected \d+ bytes/],
  ['config', (url, image) => url.includes('/blobs/') && !url.endsWith(sha256(image.layer)), /more than the expected/],
  ['manifest', (url) => url.includes('/manifests/'), /longer than 4194304 bytes/],
  ['greeting', (url) => url === '/v2/', /^$/],
];

for (const [what, isEndless, message] of endless) {
  test(`a registry whose ${what} never ends is cut off`, options, async () => {
    const image = await fakeImage();
    let taken = (): number => 0;
    await using fake = await startFake((request, response) => {
      if (isEndless(request.url ?? '', image)) taken = sendForever(response);
      else serve(image, request, response);
    });
    const pull = collect(host.images.pull(fake.name, '', {}, never));
    if (message.source === '^$') await pull;
    else await assert.rejects(pull, message);
    assert.ok(taken() < 32 * 1024 * 1024, `${taken()} bytes were read`);
    await removeAll();
  });
}

test('a pulled layer that exceeds a limit of archives leaves nothing behind', options, async () => {
  const name = '127.0.0.1:5000/team/limits';
  await loadApp(`${name}:1`, 5_000_000);
  await collect(host.images.push(name, '1', {}, never));
  await removeAll();
  for (const [limits, message] of [
    [{ entries: 0 }, /more than 0 entries/],
    [{ bytes: 100_000 }, /more than 100000 bytes/],
    [{ ratio: 1 }, /more than 1 times the bytes that were sent/],
  ] as const) {
    Object.assign(host.limits, limits);
    const pulling = collect(host.images.pull(name, '1', {}, never));
    await assert.rejects(pulling, { code: 'invalid', message }).finally(() => {
      for (const key of Object.keys(limits)) Reflect.deleteProperty(host.limits, key);
    });
    assert.deepEqual(await host.leftovers(), nothing);
  }
  await collect(host.images.pull(name, '1', {}, never));
  await removeAll();
});

test('a layer announced as larger than the limit of archives is not downloaded', options, async () => {
  const image = await fakeImage(300_000);
  await using fake = await startFake((request, response) => serve(image, request, response));
  host.limits.bytes = 1000;
  const pulling = collect(host.images.pull(fake.name, '', {}, never));
  await assert.rejects(pulling, { code: 'invalid', message: /the layer sha256:\w+ has \d+ bytes, more than 1000/ });
  Reflect.deleteProperty(host.limits, 'bytes');
  assert.ok(!fake.requests.some(({ url }) => url?.endsWith(sha256(image.layer))));
  assert.deepEqual(await host.leftovers(), nothing);
});

test('a manifest that announces a huge configuration is rejected before the download', options, async () => {
  const image = await fakeImage();
  const manifest = JSON.parse(image.manifest.toString()) as { config: { size: number } };
  manifest.config.size = 1e12;
  await using fake = await startFake((request, response) =>
    serve({ ...image, manifest: Buffer.from(JSON.stringify(manifest)) }, request, response),
  );
  await assert.rejects(collect(host.images.pull(fake.name, '', {}, never)), /configuration has 1000000000000 bytes/);
  assert.ok(!fake.requests.some(({ url }) => url?.includes('/blobs/')));
});
