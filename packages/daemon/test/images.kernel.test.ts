/**
 * Images on a real containerd: what `docker load`, `save`, `import`, `rmi` store, and that invalid archives leave
 * nothing behind.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { inFreshHost } from '@netyard/testkit';
import {
  collect,
  dockerArchive,
  type ImageHost,
  load,
  type Member,
  nothing,
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
const file = (name: string, body = name): Member => ({ name, body });

async function removeAll(): Promise<void> {
  for (const { record } of await host.images.list({ all: true, digests: false, filters: new Map() })) {
    await host.images.remove(record.id, { force: true, noPrune: false });
  }
  assert.deepEqual(await host.leftovers(), nothing);
}

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
  const root = await host.rootfs.mount(container('a'), layers);
  assert.deepEqual(
    execFileSync('find', ['etc', 'old'], { cwd: root, encoding: 'utf8' }).split('\n').sort().join(' ').trim(),
    'etc etc/hostname etc/hosts etc/kept etc/ln etc/mtab etc/resolv.conf old old/new',
  );
  assert.deepEqual(await host.rootfs.changes(container('a'), layers), []);
  await host.rootfs.remove(container('a'));
  await removeAll();
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
    await removeAll();
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
  await removeAll();
});

const device = { type: 'character-device', devmajor: 1, devminor: 1 } as const;
const badLayers: [string, Member[], RegExp][] = [
  ['a name with ../', [file('../out')], /"..\/out" leads out of the layer/],
  ['a name with ../ inside', [file('a/../../out')], /leads out of the layer/],
  [
    'a symlink that leads out',
    [{ name: 'ln', type: 'symlink', linkname: '../../etc' }],
    /invalid symlink "ln" -> "..\/..\/etc"/,
  ],
  ['a hardlink that leads out', [{ name: 'ln', type: 'link', linkname: '../../etc/passwd' }], /invalid hardlink/],
  ['a hardlink to nothing', [{ name: 'ln', type: 'link', linkname: 'nothing' }], /unpack the layer/],
  ['the memory device', [{ name: 'dev/mem', ...device }], /"dev\/mem" is a device \(c 1:1\)/],
  ['a disk', [{ name: 'dev/sda', type: 'block-device', devmajor: 8, devminor: 0 }], /\(b 8:0\)/],
  ["overlayfs' own whiteout", [{ name: 'w', type: 'character-device', devmajor: 0, devminor: 0 }], /\(c 0:0\)/],
  [
    "overlayfs' own attribute",
    [{ ...file('d'), pax: { 'SCHILY.xattr.trusted.overlay.redirect': '/etc' } }],
    /has the attribute trusted.overlay.redirect/,
  ],
];

for (const [name, members, message] of badLayers) {
  test(`a layer with ${name} is rejected and nothing is kept`, fresh, async () => {
    const good = await tarOf([file('good')]);
    const bad = await tarOf(members);
    const archive = await tarOf(dockerArchive({ tags: ['bad:1'], layers: [good, bad] }));
    await assert.rejects(load(host, archive), message);
    assert.deepEqual(await host.leftovers(), nothing);
  });
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
  await removeAll();
});

const goodLayer = (): Promise<Buffer> => tarOf([file('good')]);
const badArchives: [string, () => Promise<Buffer> | Buffer, RegExp][] = [
  ['no tar', () => Buffer.from('this is no tar archive'.repeat(100)), /invalid tar archive/],
  ['an empty one', () => tarOf([]), /does not contain a manifest.json/],
  [
    'one cut off',
    async () => (await tarOf(dockerArchive({ layers: [await goodLayer()] }))).subarray(0, 1800),
    /unexpected EOF/,
  ],
  [
    'one whose gzip is cut off',
    async () => gzipSync(await tarOf(dockerArchive({ layers: [await goodLayer()] }))).subarray(0, 300),
    /unexpected end of file/,
  ],
  ['../', () => tarOf([file('../../etc/cron.d/x')]), /leads out of the archive/],
  ['an absolute path', () => tarOf([file('/etc/cron.d/x')]), /is an absolute path/],
  [
    'a symlink that leads out',
    () => tarOf([{ name: 'manifest.json', type: 'symlink', linkname: '../../etc/passwd' }]),
    /invalid symlink/,
  ],
  [
    'a symlink to a host path',
    () => tarOf([{ name: 'manifest.json', type: 'symlink', linkname: '/etc/passwd' }]),
    /invalid symlink/,
  ],
  ['a device', () => tarOf([{ name: 'manifest.json', ...device }]), /neither a file nor a directory/],
  ['a name given twice', () => tarOf([file('manifest.json', '[]'), file('./manifest.json', '[]')]), /duplicate entry/],
  [
    'a loop of links',
    () =>
      tarOf([
        { name: 'manifest.json', type: 'symlink', linkname: 'a' },
        { name: 'a', type: 'symlink', linkname: 'manifest.json' },
      ]),
    /chain of links/,
  ],
  ['a manifest that is no JSON', () => tarOf([file('manifest.json', '[{')]), /manifest.json is not valid JSON/],
  ['a manifest of null', () => tarOf([file('manifest.json', 'null')]), /manifest.json is malformed/],
  ['a manifest too large', () => tarOf([file('manifest.json', ' '.repeat(5_000_000))]), /larger than/],
  ['a manifest of many brackets', () => tarOf([file('manifest.json', '['.repeat(1_000_000))]), /not valid JSON/],
  [
    'a missing configuration',
    () => tarOf([file('manifest.json', '[{"Config":"x.json","Layers":[]}]')]),
    /it has no x.json/,
  ],
  [
    'a missing layer',
    async () => tarOf(dockerArchive({ layers: [await goodLayer()] }).slice(1)),
    /it has no .*layer.tar/,
  ],
  [
    'a wrong diff id',
    async () => tarOf(dockerArchive({ layers: [await goodLayer()], diffIds: [`sha256:${'0'.repeat(64)}`] })),
    /differs from the announced/,
  ],
  [
    'too few layers',
    async () => tarOf(dockerArchive({ layers: [await goodLayer()], diffIds: [] })),
    /layers length mismatch|too many non-empty layers/,
  ],
  [
    'a blob that is not what its name says',
    () => tarOf([file(`blobs/sha256/${'1'.repeat(64)}`, 'x'), file('index.json', '{}')]),
    /digest is sha256:2d71/,
  ],
  [
    'an image for Windows',
    () =>
      tarOf([
        file('c.json', '{"os":"windows","rootfs":{"type":"layers","diff_ids":[]}}'),
        file('manifest.json', '[{"Config":"c.json","Layers":[]}]'),
      ]),
    /cannot load windows image on linux/,
  ],
  ['bzip2', () => Buffer.from('BZh91AY&SY'.repeat(100)), /bzip2 compression is not supported/],
];

for (const [name, make, message] of badArchives) {
  test(`an invalid archive is rejected and nothing is kept: ${name}`, fresh, async () => {
    await assert.rejects(load(host, await make()), (error: Error & { code?: string }) => {
      assert.match(error.message, message);
      assert.equal(error.code, 'invalid');
      return true;
    });
    assert.deepEqual(await host.leftovers(), nothing);
  });
}

test('one invalid image among valid ones: none is kept, and no name moves', fresh, async () => {
  const layer = await goodLayer();
  await load(host, await tarOf(dockerArchive({ tags: ['kept:1'], layers: [layer] })));
  const before = await host.leftovers();
  const [first, second] = [
    dockerArchive({ tags: ['kept:1'], layers: [await tarOf([file('other')])] }),
    dockerArchive({ layers: [layer], diffIds: [`sha256:${'0'.repeat(64)}`] }),
  ];
  const manifests = [first, second].map((members) => JSON.parse(String(members.at(-1)?.body)).at(0));
  const files = [...first.slice(0, -1), ...second.slice(0, -1)];
  const archive = await tarOf([...files, file('manifest.json', JSON.stringify(manifests))]);
  await assert.rejects(load(host, archive), /differs from the announced/);
  assert.deepEqual(await host.leftovers(), before);
  assert.deepEqual(
    (await host.images.get('kept:1')).layers.map(({ diffId }) => diffId),
    [`sha256:${sha256(layer)}`],
  );
  await removeAll();
});

for (const { what, limits, message } of [
  { what: 'entries', limits: { entries: 3 }, message: /it has more than 3 entries/ },
  { what: 'files', limits: { imageFiles: 2 }, message: /it has more than 2 files/ },
  { what: 'bytes', limits: { bytes: 3_000_000 }, message: /more than 3000000 bytes/ },
  { what: 'bytes for each byte sent', limits: { ratio: 50 }, message: /more than 50 times the bytes that were sent/ },
]) {
  test(`an archive with more ${what} than allowed is rejected and leaves nothing behind`, fresh, async () => {
    const layer = await tarOf([...'abcd'].map((name) => file(name, ' '.repeat(1_000_000))));
    const archive = await tarOf(dockerArchive({ tags: ['big:1'], layers: [layer], stored: [gzipSync(layer)] }));
    const importing = () => {
      const request = { repository: 'big', tag: '1', message: '', changes: [] };
      return collect(host.images.import(Readable.from([gzipSync(layer)]), request));
    };
    await load(host, archive);
    await removeAll();
    Object.assign(host.limits, limits);
    try {
      const refused = { code: 'invalid', message, hint: /option --max-(image-)?archive-/ };
      await assert.rejects(load(host, archive), refused);
      assert.deepEqual(await host.leftovers(), nothing);
      if (what !== 'files') await assert.rejects(importing(), refused);
      assert.deepEqual(await host.leftovers(), nothing);
    } finally {
      for (const name of Object.keys(limits)) Reflect.deleteProperty(host.limits, name);
    }
    await importing();
    await removeAll();
  });
}

test('a client that disconnects halfway leaves nothing behind', fresh, async () => {
  const upload = new PassThrough();
  const archive = await tarOf(dockerArchive({ tags: ['half:1'], layers: [Buffer.alloc(3_000_000)] }));
  const loading = collect(host.images.load(upload, { quiet: true }));
  upload.write(archive.subarray(0, 2_000_000));
  setTimeout(() => upload.destroy(new Error('the client is gone')), 50);
  await assert.rejects(loading, /the client is gone/);
  assert.deepEqual(await host.leftovers(), nothing);
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
  await removeAll();
  assert.equal(await load(host, saved), 'Loaded image: one:1\nLoaded image: one:2\nLoaded image: two:2\n');
  const ids = (await host.images.list({ all: true, digests: true, filters: new Map() })).map(({ record }) => record.id);
  assert.deepEqual(ids.sort(), before.map(({ record }) => record.id).sort());
  await removeAll();
  // without manifest.json it is a plain OCI layout
  const folder = join(host.containerd.folder, 'layout');
  execFileSync('sh', ['-c', `mkdir ${folder} && tar xf - -C ${folder} && rm ${folder}/manifest.json`], {
    input: saved,
  });
  const layout = execFileSync('tar', ['cf', '-', '-C', folder, '.'], { maxBuffer: 1 << 26 });
  assert.equal(await load(host, layout), 'Loaded image: one:1\nLoaded image: one:2\nLoaded image: two:2\n');
  await assert.rejects(host.images.save(['three']), /No such image: three:latest/);
  await removeAll();
});

test('import creates an image from a tar', fresh, async () => {
  const archive = Readable.from([gzipSync(await tarOf([file('bin/x')]))]);
  const changes = [
    'CMD ["x", "y"]',
    'ENV A=1 B="2 3"',
    'EXPOSE 80 53/udp',
    'LABEL a.b=c',
    'USER nobody',
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
      user: 'nobody',
      volumes: ['/data'],
      workingDirectory: '/srv',
    },
  );
  assert.equal((await host.images.history('made'))[0]?.comment, 'by hand');
  const bad = host.images.import(Readable.from([]), { ...request, changes: ['RUN rm -rf /'] });
  await assert.rejects(collect(bad), /run is not a valid change command/);
  await removeAll();
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
  await removeAll();
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
  await removeAll();
});

test('the same archive is loaded many times concurrently', fresh, async () => {
  const archive = await tarOf(
    dockerArchive({ tags: ['many:1'], layers: [await tarOf([{ name: 'x', body: Buffer.alloc(3_000_000) }])] }),
  );
  const output = await Promise.all(Array.from({ length: 20 }, () => load(host, archive)));
  assert.deepEqual(new Set(output), new Set(['Loaded image: many:1\n']));
  assert.deepEqual(await host.leftovers(), { blobs: 2, layers: 1, records: 1, folders: [] });
  assert.deepEqual((await host.containerd.client.content.listStatuses({})).statuses, []);
  await removeAll();
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
  await removeAll();
});
