/** Archives that `docker load` and `import` reject on a real containerd: nothing of them is left behind. */
import assert from 'node:assert/strict';
import { PassThrough, Readable } from 'node:stream';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { inFreshHost } from '@netyard/testkit';
import {
  collect,
  device,
  dockerArchive,
  file,
  goodLayer,
  type ImageHost,
  load,
  type Member,
  nothing,
  removeAllImages,
  sha256,
  startImageHost,
  tarOf,
} from './image-host.ts';

const fresh = inFreshHost(import.meta.url);
let host: ImageHost;
before(async () => {
  if (fresh.skip === false) host = await startImageHost();
});
after(() => host?.[Symbol.asyncDispose]());

const badLayers: [string, Member[], RegExp][] = [
  ['a name with ../', [file('../out')], /"..\/out" leads out of the layer/],
  ['a name with ../ inside', [file('a/../../out')], /leads out of the layer/],
  [
    'a symlink that leads out',
    [{ name: 'ln', type: 'symlink', linkname: '../../etc' }],
    /invalid symlink "ln" -> "..\/..\/etc"/,
  ],
  ['a hardlink that leads out', [{ name: 'ln', type: 'link', linkname: '../../etc/passwd' }], /invalid hardlink/],
  ['a hardlink to nothing', [{ name: 'ln', type: 'link', linkname: 'nothing' }], /which it does not have/],
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
  await removeAllImages(host);
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
    await removeAllImages(host);
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
    await removeAllImages(host);
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
