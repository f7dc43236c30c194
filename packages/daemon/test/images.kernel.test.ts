/** Images on a real containerd: what `docker load`, `save`, `import` and `rmi` store. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { inFreshHost } from '@netyard/testkit';
import {
  collect,
  dockerArchive,
  file,
  goodLayer,
  type ImageHost,
  load,
  nothing,
  removeAllImages,
  sha256,
  startImageHost,
  tarOf,
} from './image-host.ts';

const fresh = inFreshHost(import.meta.url);
const needsCtr = fresh.skip || existsSync('/usr/bin/ctr') ? fresh : { skip: 'needs ctr' };
let host: ImageHost;
before(async () => {
  if (fresh.skip === false) host = await startImageHost();
});
after(() => host?.[Symbol.asyncDispose]());

const container = (id: string): string => id.repeat(64);

test('layers are unpacked over each other, including whiteouts', fresh, async () => {
  const below = await tarOf([
    file('etc/kept'),
    file('etc/gone'),
    file('old/inside'),
    { name: 'etc/ln', type: 'symlink', linkname: '/etc/kept' },
  ]);
  const above = await tarOf([file('etc/.wh.gone', ''), file('old/.wh..wh..opq', ''), file('old/new')]);
  const archive = await tarOf(dockerArchive({ tags: ['two:1', 'two:2'], layers: [below, above] }));
  assert.equal(await load(host, archive), 'Loaded image: two:1\nLoaded image: two:2\n');
  const record = await host.images.get('two:1');
  const layers = record.layers.map(({ chainId }) => chainId);
  await host.rootfs.create(container('a'), layers);
  const root = await host.rootfs.mount(container('a'), layers, false);
  assert.deepEqual(
    execFileSync('find', ['etc', 'old'], { cwd: root, encoding: 'utf8' }).split('\n').sort().join(' ').trim(),
    'etc etc/hostname etc/hosts etc/kept etc/ln etc/mtab etc/resolv.conf old old/new',
  );
  assert.deepEqual(await host.rootfs.changes(container('a'), layers), []);
  await host.rootfs.remove(container('a'));
  await removeAllImages(host);
});

for (const [name, compress] of [
  ['gzip', gzipSync],
  ['zstd', zstdCompressSync],
] as const) {
  test(`archives and layers compressed with ${name} are loaded`, fresh, async () => {
    const layer = await tarOf([file('hello', 'x'.repeat(10_000))]);
    const archive = dockerArchive({ tags: ['packed'], layers: [layer], stored: [compress(layer)] });
    await assert.rejects(load(host, compress(await tarOf(archive))), /invalid tag "packed"/);
    const tagged = dockerArchive({ tags: ['packed:latest'], layers: [layer], stored: [compress(layer)] });
    assert.equal(await load(host, compress(await tarOf(tagged))), 'Loaded image: packed:latest\n');
    assert.equal((await host.images.get('packed')).size, 10_000);
    await removeAllImages(host);
  });
}

test('an archive without names is loaded, and a name moves to the newer image', fresh, async () => {
  const first = await tarOf([file('first')]);
  const second = await tarOf([file('second')]);
  const output = await load(host, await tarOf(dockerArchive({ layers: [first] })));
  assert.match(output, /^Loaded image ID: sha256:[0-9a-f]{64}\n$/);
  await load(host, await tarOf(dockerArchive({ tags: ['app:1'], layers: [first] })));
  const { id } = await host.images.get('app:1');
  const again = await load(host, await tarOf(dockerArchive({ tags: ['app:1'], layers: [second] })));
  assert.equal(
    again,
    `The image app:1 already exists, renaming the old one with ID ${id} to empty string\nLoaded image: app:1\n`,
  );
  assert.deepEqual((await host.images.get(id)).tags, []);
  await removeAllImages(host);
});

/** What another program deletes of each layer, and whether its files stay as they are. */
const damages: [string, (layer: string) => void, boolean][] = [
  ['deleted', (layer) => rmSync(layer, { recursive: true }), false],
  ['without its directory of files', (layer) => rmSync(join(layer, 'diff'), { recursive: true }), false],
  [
    'without files',
    (layer) => {
      rmSync(join(layer, 'diff'), { recursive: true });
      mkdirSync(join(layer, 'diff'));
    },
    false,
  ],
  ['without its size', (layer) => rmSync(join(layer, 'size')), true],
  ['with an empty size', (layer) => writeFileSync(join(layer, 'size'), ''), true],
];
for (const [name, damage, isKept] of damages) {
  for (const compress of [undefined, gzipSync]) {
    test(`loading an image restores layers that are ${name}${compress ? ' (gzip)' : ''}`, fresh, async () => {
      const layers = [await tarOf([file('below')]), await tarOf([file('above')])];
      const stored = compress ? layers.map((layer) => compress(layer)) : layers;
      const archive = await tarOf(dockerArchive({ tags: ['app:1'], layers, stored }));
      await load(host, archive);
      const record = await host.images.get('app:1');
      const home = join(host.dataRoot, 'overlay/layers');
      const paths = readdirSync(home).map((hex) => join(home, hex));
      const before = paths.map((path) => lstatSync(join(path, 'diff')).ino);
      for (const path of paths) damage(path);
      assert.equal(await load(host, archive), 'Loaded image: app:1\n');
      assert.deepEqual({ ...(await host.images.get('app:1')), lastTagged: record.lastTagged }, record);
      const chainIds = record.layers.map(({ chainId }) => chainId);
      await host.rootfs.create(container('a'), chainIds);
      const root = await host.rootfs.mount(container('a'), chainIds, false);
      assert.deepEqual(
        ['below', 'above'].map((each) => readFileSync(join(root, each), 'utf8')),
        ['below', 'above'],
      );
      await host.rootfs.remove(container('a'));
      if (isKept)
        assert.deepEqual(
          paths.map((path) => lstatSync(join(path, 'diff')).ino),
          before,
        );
      const saved = await savedArchive(['app:1']);
      assert.ok(stored.every((layer) => saved.includes(layer)));
      await removeAllImages(host);
    });
  }
}

async function savedArchive(names: string[]): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of await host.images.save(names)) chunks.push(chunk as Uint8Array);
  return Buffer.concat(chunks);
}

test('a layer may contain absolute names and links, and devices of containers', fresh, async () => {
  const layer = await tarOf([
    file('/etc/absolute'),
    { name: 'dev/null', type: 'character-device', devmajor: 1, devminor: 3 },
    { name: 'ln', type: 'symlink', linkname: '/../../etc/passwd' },
    { name: 'up', type: 'symlink', linkname: 'etc/../etc' },
    { name: 'pipe', type: 'fifo' },
  ]);
  await load(host, await tarOf(dockerArchive({ tags: ['good:1'], layers: [layer] })));
  const [unpacked] = (await host.images.get('good:1')).layers;
  const folder = join(host.containerd.folder, 'overlay/layers', unpacked?.chainId.slice(7) ?? '', 'diff');
  assert.equal(readFileSync(join(folder, 'etc/absolute'), 'utf8'), '/etc/absolute');
  assert.ok(lstatSync(join(folder, 'dev/null')).isCharacterDevice());
  await removeAllImages(host);
});

test('a saved archive loads to the same images, and is an OCI layout too', fresh, async () => {
  const shared = await tarOf([file('shared')]);
  for (const name of ['one', 'two']) {
    const layers = [shared, await tarOf([file(name)])];
    await load(host, await tarOf(dockerArchive({ tags: [`${name}:1`, `${name}:2`], layers })));
  }
  const before = await host.images.list({ all: true, digests: true, filters: new Map() });
  const chunks: Uint8Array[] = [];
  for await (const chunk of (await host.images.save(['one', 'two:2'])) as Readable) chunks.push(chunk);
  const saved = Buffer.concat(chunks);
  const names = execFileSync('tar', ['tf', '-'], { input: saved, encoding: 'utf8' }).trim().split('\n');
  assert.equal(new Set(names).size, names.length);
  assert.equal(names.filter((name) => name.startsWith('blobs/')).length, 3 + 2 + 2); // layers, configurations, manifests
  await removeAllImages(host);
  assert.equal(await load(host, saved), 'Loaded image: one:1\nLoaded image: one:2\nLoaded image: two:2\n');
  const ids = (await host.images.list({ all: true, digests: true, filters: new Map() })).map(({ record }) => record.id);
  assert.deepEqual(ids.sort(), before.map(({ record }) => record.id).sort());
  await removeAllImages(host);
  // without manifest.json it is a plain OCI layout
  const folder = join(host.containerd.folder, 'layout');
  execFileSync('sh', ['-c', `mkdir ${folder} && tar xf - -C ${folder} && rm ${folder}/manifest.json`], {
    input: saved,
  });
  const layout = execFileSync('tar', ['cf', '-', '-C', folder, '.'], { maxBuffer: 1 << 26 });
  assert.equal(await load(host, layout), 'Loaded image: one:1\nLoaded image: one:2\nLoaded image: two:2\n');
  await assert.rejects(host.images.save(['three']), /No such image: three:latest/);
  await removeAllImages(host);
});

test('import creates an image from a tar', fresh, async () => {
  const archive = Readable.from([gzipSync(await tarOf([file('bin/x')]))]);
  const changes = [
    'CMD ["x", "y"]',
    'ENV A=1 B="2 3"',
    'EXPOSE 80 53/udp',
    'LABEL a.b=c',
    'USER daemon',
    'VOLUME /data',
    'WORKDIR /srv',
  ];
  const request = { repository: 'made', tag: '', message: 'by hand', changes };
  const lines = await collect(host.images.import(archive, request));
  const record = await host.images.get('made');
  assert.deepEqual(lines, [{ status: record.id }]);
  const { command, env, exposed, labels, user, volumes, workingDirectory } = record.config;
  assert.deepEqual(
    { command, env, exposed, labels, user, volumes, workingDirectory },
    {
      command: ['x', 'y'],
      env: ['A=1', 'B=2 3'],
      exposed: [
        { port: 80, protocol: 'tcp' },
        { port: 53, protocol: 'udp' },
      ],
      labels: { 'a.b': 'c' },
      user: 'daemon',
      volumes: ['/data'],
      workingDirectory: '/srv',
    },
  );
  assert.equal((await host.images.history('made'))[0]?.comment, 'by hand');
  const bad = host.images.import(Readable.from([]), { ...request, changes: ['RUN rm -rf /'] });
  await assert.rejects(collect(bad), /RUN is not a valid change command/);
  await removeAllImages(host);
});

test('content of other containerd namespaces is neither listed nor removed', needsCtr, async () => {
  const layer = await tarOf([file('shared')]);
  const archive = await tarOf(dockerArchive({ tags: ['shared:1'], layers: [layer] }));
  const path = join(host.containerd.folder, 'shared.tar');
  writeFileSync(path, archive);
  const ctr = (...args: string[]): Buffer =>
    execFileSync('ctr', ['--address', host.containerd.socket, '--namespace', 'foreign', ...args]);
  ctr('images', 'import', '--no-unpack', path);
  const foreign = (): string[] => ctr('content', 'ls', '--quiet').toString().trim().split('\n');
  // Not the archive's index: no image refers to it, so containerd deletes it when the import's lease has ended.
  const manifest = /shared:1\s+\S+\s+(sha256:\w+)/.exec(ctr('images', 'ls').toString())?.[1] ?? '';
  const { config } = JSON.parse(ctr('content', 'get', manifest).toString());
  const referenced = [manifest, config.digest, `sha256:${sha256(layer)}`];
  assert.deepEqual(await host.leftovers(), nothing);
  assert.deepEqual(await host.images.unnamedContent(), []);
  // The same blobs here: they are deleted from this namespace only.
  await load(host, archive);
  await removeAllImages(host);
  await host.images.collectGarbage(await host.images.unnamedContent());
  await host.reopen();
  assert.deepEqual(
    referenced.filter((digest) => !foreign().includes(digest)),
    [],
  );
  assert.deepEqual(ctr('content', 'get', `sha256:${sha256(layer)}`), layer);
  assert.match(ctr('images', 'ls', '--quiet').toString(), /shared:1/);
});

test('layers that containers use outlive their image', fresh, async () => {
  await load(host, await tarOf(dockerArchive({ tags: ['used:1'], layers: [await goodLayer()] })));
  const record = await host.images.get('used:1');
  const layers = record.layers.map(({ chainId }) => chainId);
  const user = { id: container('c'), imageId: record.id, layers, state: { status: 'running' } };
  host.containers.push(user as never);
  await assert.rejects(host.images.remove('used:1', { force: false, noPrune: false }), {
    message: `conflict: unable to remove repository reference "used:1" (must force) - container cccccccccccc is using its referenced image ${record.id.slice(7, 19)}`,
  });
  await assert.rejects(host.images.remove(record.id, { force: true, noPrune: false }), {
    message: `conflict: unable to delete ${record.id.slice(7, 19)} (cannot be forced) - image is being used by running container cccccccccccc`,
  });
  user.state.status = 'exited';
  const removed = await host.images.remove('used:1', { force: true, noPrune: false });
  assert.deepEqual(removed, [{ untagged: 'used:1' }, { deleted: record.id }]);
  assert.deepEqual(await host.leftovers(), { ...nothing, layers: 1 });
  host.containers.pop();
  await host.images.collectGarbage(record.layers.map(({ chainId }) => `layer ${chainId}`));
  assert.deepEqual(await host.leftovers(), nothing);
});

test('a save is aborted by its reader, or fails when its blob is missing', fresh, async () => {
  const layer = await tarOf([{ name: 'big', body: Buffer.alloc(4_000_000) }]);
  await load(host, await tarOf(dockerArchive({ tags: ['big:1'], layers: [layer] })));
  const given = (await host.images.save(['big:1'])) as Readable;
  await new Promise((resolve) => given.once('readable', resolve));
  given.destroy();
  const { configDigest } = await host.images.get('big:1');
  await host.content.remove(configDigest);
  const broken = (await host.images.save(['big:1'])) as Readable;
  await assert.rejects(async () => {
    for await (const _ of broken);
  }, /no such blob/);
  await removeAllImages(host);
});

test('the same archive is loaded many times concurrently', fresh, async () => {
  const archive = await tarOf(
    dockerArchive({ tags: ['many:1'], layers: [await tarOf([{ name: 'x', body: Buffer.alloc(3_000_000) }])] }),
  );
  const output = await Promise.all(Array.from({ length: 20 }, () => load(host, archive)));
  assert.deepEqual(new Set(output), new Set(['Loaded image: many:1\n']));
  assert.deepEqual(await host.leftovers(), { blobs: 1, layers: 1, records: 1, folders: [] });
  assert.deepEqual((await host.containerd.client.content.listStatuses({})).statuses, []);
  await removeAllImages(host);
});

test('leftovers of a killed daemon are removed at the next start', fresh, async () => {
  await load(host, await tarOf(dockerArchive({ tags: ['kept:1'], layers: [await goodLayer()] })));
  const kept = await host.leftovers();
  const { content } = host.containerd.client;
  const temporary = join(host.containerd.folder, 'overlay/temporary/0123456789abcdef');
  execFileSync('sh', [
    '-c',
    `mkdir -p ${temporary}/diff ${temporary}/merged && mount -t tmpfs tmpfs ${temporary}/merged`,
  ]);
  // a write that is never finished
  const unfinished = async function* () {
    yield { action: 1 as const, ref: 'netyard-killed', offset: 0n, data: new Uint8Array(10) };
    while ((await content.listStatuses({})).statuses.length === 0) await pause(5); // otherwise the failure would overtake it
    throw new Error('killed');
  };
  await assert.rejects(async () => {
    for await (const _ of content.write(unfinished()));
  });
  const blob = await host.content.write({ mediaType: 'x' }, Readable.from([Buffer.from('a blob that no image names')]));
  assert.equal((await content.listStatuses({})).statuses.length, 1);
  await host.reopen();
  assert.deepEqual((await content.listStatuses({})).statuses, []);
  assert.deepEqual((await host.leftovers()).folders, []);
  assert.deepEqual(await host.images.unnamedContent(), [`blob ${blob.digest}`]);
  await host.images.collectGarbage(); // no record says that it is unfinished
  assert.equal((await host.leftovers()).blobs, kept.blobs + 1);
  await host.images.collectGarbage([`blob ${blob.digest}`]);
  assert.deepEqual(await host.leftovers(), kept);
  await removeAllImages(host);
});
