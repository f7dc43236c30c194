/** Pull and push against Debian's docker-registry on loopback. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Progress } from '@netyard/engine';
import { openRegistry } from '@netyard/runtime';
import { inFreshHost } from '@netyard/testkit';
import {
  collect,
  dockerArchive,
  type ImageHost,
  load,
  nothing,
  removeAllImages,
  startImageHost,
  tarOf,
} from './image-host.ts';
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
  await removeAllImages(host);

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
  await removeAllImages(host);
});

test(
  'a pull restores layers that another program deleted, and a layer that is on top of several others',
  options,
  async () => {
    const name = `${registry.host}/twice`;
    const [base, empty] = [await tarOf([{ name: 'base', body: 'base' }]), await tarOf([])];
    await load(host, await tarOf(dockerArchive({ tags: [`${name}:1`], layers: [base, empty, base, empty] })));
    await load(host, await tarOf(dockerArchive({ tags: [`${name}:2`], layers: [base, empty] })));
    const layers = join(host.dataRoot, 'overlay/layers');
    for (const tag of ['1', '2']) await collect(host.images.push(name, tag, {}, never));
    await removeAllImages(host);
    for (const tag of ['2', '1']) await collect(host.images.pull(name, tag, {}, never));
    const whole = await host.leftovers();
    assert.equal(whole.layers, 4);
    for (const hex of readdirSync(layers)) rmSync(join(layers, hex), { recursive: true });
    await collect(host.images.pull(name, '1', {}, never));
    assert.deepEqual(await host.leftovers(), whole);
    await removeAllImages(host);
  },
);

test('a layer of many pieces arrives whole, also in a repository that another push did not fill', options, async () => {
  for (const name of [`${registry.host}/large`, `${registry.host}/large-too`]) {
    const id = await loadApp(`${name}:1`, 30_000_000);
    const push = async (to: string) => statuses(await collect(host.images.push(to, '1', {}, never)));
    assert.ok((await push(name)).includes('Pushed'));
    assert.ok(!(await push(name)).includes('Pushed'));
    await host.images.tag(id, `${name}-copy`, '1');
    assert.ok((await push(`${name}-copy`)).includes('Pushed'));
    await removeAllImages(host);
    await collect(host.images.pull(`${name}-copy`, '1', {}, never));
    assert.equal((await host.images.get(`${name}-copy:1`)).id, id);
    await removeAllImages(host);
  }
});

test('a push does not fail because what it compressed cannot be recorded', options, async () => {
  const name = `${registry.host}/unrecorded`;
  await loadApp(`${name}:1`);
  const layers = join(host.dataRoot, 'overlay/layers');
  for (const layer of readdirSync(layers)) mkdirSync(join(layers, layer, 'gzip')); // neither read nor written, as on a full disk
  assert.ok(statuses(await collect(host.images.push(name, '1', {}, never))).includes('Pushed'));
  await removeAllImages(host);
  await collect(host.images.pull(name, '1', {}, never));
  await removeAllImages(host);
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
  await removeAllImages(host);
});

test('a missing image, registry or name is reported', options, async () => {
  const name = `${registry.host}/absent`;
  await assert.rejects(collect(host.images.pull(name, '', {}, never)), {
    code: 'not-found',
    message: `manifest for ${name}:latest not found: manifest unknown: manifest unknown`,
  });
  await assert.rejects(collect(host.images.pull('127.0.0.1:1/x', '', {}, never)), {
    code: 'failed', // 500, as Docker answers
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
    code: 'failed', // 500: clients would prompt for a password on 401, even without a terminal
    message: 'unauthorized: authentication required',
  });
  await collect(host.images.push(name, '1', right, never));
  await removeAllImages(host);
  await assert.rejects(collect(host.images.pull(name, '1', {}, never)), /no basic auth credentials/);
  await collect(host.images.pull(name, '1', right, never));
  await removeAllImages(host);
});

test('a pulled layer that exceeds a limit of archives leaves nothing behind', options, async () => {
  const name = '127.0.0.1:5000/team/limits';
  await loadApp(`${name}:1`, 5_000_000);
  await collect(host.images.push(name, '1', {}, never));
  await removeAllImages(host);
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
  await removeAllImages(host);
});
