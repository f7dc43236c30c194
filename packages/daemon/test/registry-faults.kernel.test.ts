/** Pulls from and pushes to registries that ask for tokens, serve indexes, break off, or misbehave, all on loopback. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { isNetyardError } from '@netyard/core';
import { inFreshHost } from '@netyard/testkit';
import { type FakeImage, fakeImage, serve, startFakeRegistry, startTlsRegistry } from './fake-registry.ts';
import {
  collect,
  dockerArchive,
  type ImageHost,
  load,
  nothing,
  removeAllImages,
  sha256,
  startImageHost,
  tarOf,
} from './image-host.ts';

const fresh = inFreshHost(import.meta.url);
const never = new AbortController().signal;

let host: ImageHost;
before(async () => {
  if (fresh.skip === false) host = await startImageHost();
});
after(() => host?.[Symbol.asyncDispose]());

test('a token is fetched as from Docker Hub', fresh, async () => {
  const image = await fakeImage();
  const asked: URL[] = [];
  await using fake = await startFakeRegistry((request, response) => {
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
  await removeAllImages(host);
});

test('from an index, the image for this machine is chosen', fresh, async () => {
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
  await using fake = await startFakeRegistry((request, response) => {
    if (!request.url?.endsWith('/manifests/latest')) return serve(image, request, response);
    response.setHeader('content-type', 'application/vnd.oci.image.index.v1+json');
    response.end(served);
  });
  await assert.rejects(collect(host.images.pull(fake.name, '', {}, never)), /no matching manifest for linux/);
  assert.deepEqual(await host.leftovers(), nothing);
  served = index(here);
  const lines = await collect(host.images.pull(fake.name, '', {}, never));
  assert.ok(lines.some(({ status }) => status === `Digest: sha256:${sha256(served)}`));
  await removeAllImages(host);
});

test('a redirect to anything but http is refused, for downloads and uploads', fresh, async () => {
  const image = await fakeImage();
  let location: string | undefined;
  await using fake = await startFakeRegistry((request, response) => {
    if (location === undefined) return serve(image, request, response);
    if (request.method === 'POST') response.writeHead(202, { location });
    else if (request.url?.endsWith('/manifests/latest')) response.writeHead(307, { location });
    else if (request.url !== '/v2/') response.statusCode = 404;
    response.end('{}');
  });
  await collect(host.images.pull(fake.name, 'latest', {}, never));
  for (location of ['file:///etc/passwd', 'unix:///run/docker.sock', 'http://[::', 'data:,x']) {
    const isExpected = (error: unknown): boolean =>
      isNetyardError(error, 'failed') && error.message.includes(`redirects to ${JSON.stringify(location)}`);
    await assert.rejects(collect(host.images.pull(fake.name, 'latest', {}, never)), isExpected, location);
    await assert.rejects(collect(host.images.push(fake.name, 'latest', {}, never)), isExpected, location);
  }
  await removeAllImages(host);
});

test('a redirect from https to plain http is refused, for downloads and uploads', fresh, async () => {
  const address = '192.0.2.1'; // of documentation (RFC 5737)
  execFileSync('ip', ['addr', 'add', `${address}/32`, 'dev', 'lo']);
  const image = await fakeImage();
  await using plain = await startFakeRegistry((request, response) => serve(image, request, response));
  let isPlain = false;
  await using fake = await startTlsRegistry(address, join(host.dataRoot, 'certs'), (request, response) => {
    const location = `http://${plain.name.replace('/app', '')}${request.url}`;
    if (!isPlain) return serve(image, request, response);
    if (request.method === 'POST') response.writeHead(202, { location });
    else if (request.url?.endsWith('/manifests/latest')) response.writeHead(307, { location });
    else if (request.url !== '/v2/') response.statusCode = 404;
    response.end('{}');
  });
  await collect(host.images.pull(fake.name, 'latest', {}, never));
  isPlain = true;
  const refused = new RegExp(`refusing a redirect from https://${address}:\\d+ to plain http`);
  await assert.rejects(collect(host.images.pull(fake.name, 'latest', {}, never)), refused);
  await assert.rejects(collect(host.images.push(fake.name, 'latest', {}, never)), refused);
  assert.equal(plain.requests.length, 0, 'nothing was sent in plain text');
  await removeAllImages(host);
});

test('a malformed response names the registry as the cause', fresh, async () => {
  await using fake = await startFakeRegistry((request, response) => {
    if (request.url === '/v2/') return void response.end('{}');
    response.writeHead(200, { 'content-type': 'application/vnd.oci.image.manifest.v1+json', 'content-length': '100' });
    response.write('{', () => response.destroy());
  });
  const expected = { code: 'failed', message: /the registry's response ended early/ };
  await assert.rejects(collect(host.images.pull(fake.name, 'latest', {}, never)), expected);
});

test('an interrupted download is resumed', fresh, async () => {
  const image = await fakeImage(3_000_000);
  let breaks = 3;
  await using fake = await startFakeRegistry((request, response) => {
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
  await removeAllImages(host);
});

test('after five interrupted attempts a pull fails, even if each made progress', fresh, async () => {
  const image = await fakeImage();
  let served = 0;
  await using fake = await startFakeRegistry((request, response) => {
    if (!request.url?.endsWith(sha256(image.layer))) return serve(image, request, response);
    const from = Number(/(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    served += 1;
    response.writeHead(from > 0 ? 206 : 200, { 'content-length': image.layer.length - from });
    response.write(image.layer.subarray(from, from + 1), () => response.destroy());
  });
  await assert.rejects(collect(host.images.pull(fake.name, '', {}, never)), /aborted/);
  assert.equal(served, 5);
  await removeAllImages(host);
});

test('content that does not match its digest is rejected and not kept', fresh, async () => {
  const image = await fakeImage();
  const blob = `sha256:${sha256(image.layer)}`;
  image.blobs.set(blob, Buffer.from(image.layer).fill(7, 50, 60));
  await using fake = await startFakeRegistry((request, response) => serve(image, request, response));
  await assert.rejects(collect(host.images.pull(fake.name, '', {}, never)), /digest is sha256:\w+, expected/);
  await assert.rejects(
    collect(host.images.pull(fake.name, `sha256:${'1'.repeat(64)}`, {}, never)),
    /manifest verification failed/,
  );
  assert.deepEqual(await host.leftovers(), nothing);
});

test('an aborted pull ends at once and leaves nothing behind', fresh, async () => {
  const image = await fakeImage(2_000_000);
  const stop = new AbortController();
  await using fake = await startFakeRegistry((request, response) => {
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
  test(`reading stops when a registry’s ${what} never ends`, fresh, async () => {
    const image = await fakeImage();
    let taken = (): number => 0;
    await using fake = await startFakeRegistry((request, response) => {
      if (isEndless(request.url ?? '', image)) taken = sendForever(response);
      else serve(image, request, response);
    });
    const pull = collect(host.images.pull(fake.name, '', {}, never));
    if (message.source === '^$') await pull;
    else await assert.rejects(pull, message);
    assert.ok(taken() < 32 * 1024 * 1024, `${taken()} bytes were read`);
    await removeAllImages(host);
  });
}

test('a layer announced as larger than the limit of archives is not downloaded', fresh, async () => {
  const image = await fakeImage(300_000);
  await using fake = await startFakeRegistry((request, response) => serve(image, request, response));
  host.limits.bytes = 1000;
  const pulling = collect(host.images.pull(fake.name, '', {}, never));
  await assert.rejects(pulling, { code: 'invalid', message: /the layer sha256:\w+ has \d+ bytes, more than 1000/ });
  Reflect.deleteProperty(host.limits, 'bytes');
  assert.ok(!fake.requests.some(({ url }) => url?.endsWith(sha256(image.layer))));
  assert.deepEqual(await host.leftovers(), nothing);
});

test('a manifest that announces a huge configuration is rejected before the download', fresh, async () => {
  const image = await fakeImage();
  const manifest = JSON.parse(image.manifest.toString()) as { config: { size: number } };
  manifest.config.size = 1e12;
  await using fake = await startFakeRegistry((request, response) =>
    serve({ ...image, manifest: Buffer.from(JSON.stringify(manifest)) }, request, response),
  );
  await assert.rejects(collect(host.images.pull(fake.name, '', {}, never)), /configuration has 1000000000000 bytes/);
  assert.ok(!fake.requests.some(({ url }) => url?.includes('/blobs/')));
});

test(
  'a push fails when the registry accepts a layer before it has all of it, and the next one sends it again',
  fresh,
  async () => {
    const finished: string[] = [];
    await using fake = await startFakeRegistry((request, response) => {
      if (request.method === 'PUT') finished.push(request.url ?? '');
      if (request.method === 'HEAD') response.statusCode = 404;
      if (request.method === 'POST') response.setHeader('location', '/v2/app/blobs/uploads/1');
      if (request.method !== 'GET' && request.method !== 'HEAD') response.statusCode = 202;
      response.end();
    });
    // Incompressible, and more than the buffers of a connection have room for.
    const layers = [await tarOf([{ name: 'random', body: randomBytes(40_000_000) }])];
    await load(host, await tarOf(dockerArchive({ tags: [`${fake.name}:1`], layers })));
    for (let times = 0; times < 2; times += 1) {
      await assert.rejects(collect(host.images.push(fake.name, '1', {}, never)), {
        message: 'the registry responded before it received the whole layer',
      });
    }
    assert.deepEqual(finished, []);
    await removeAllImages(host);
  },
);
