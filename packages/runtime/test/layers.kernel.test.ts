/**
 * Layers as they are unpacked: marks of deletions, links on the way, replaced entries, hostile archives, and the archive
 * that is assembled from the files again.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { encodeEnd, encodeHeader, encodePadding, type TarHeader, tarHeader } from '@netyard/core';
import { getXattr, mount, unmount } from '@netyard/kernel';
import { countThreads, inFreshHost } from '@netyard/testkit';
import { assembleLayer } from '../src/images/layers/assemble.ts';
import { describeFolders } from '../src/images/layers/describe-folders.ts';
import { type LayerReport, writeLayer } from '../src/images/layers/layer-writer.ts';
import { LayerUnpacker } from '../src/images/layers/unpack.ts';

const fresh = inFreshHost(import.meta.url);
const open = { mostBytes: Number.MAX_SAFE_INTEGER, limits: {}, keepTar: true };

type Entry = Partial<TarHeader> & { name: string; text?: string };

function tarOf(entries: readonly Entry[], end = encodeEnd()): Buffer {
  const parts = entries.flatMap(({ text = '', ...values }) => {
    const body = Buffer.from(text);
    return [encodeHeader(tarHeader({ size: body.length, ...values })), body, encodePadding(body.length)];
  });
  return Buffer.concat([...parts, end]);
}

async function* inPieces(bytes: Uint8Array, size = 1000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function joined(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Runs with an empty directory on a file system with `trusted.` attributes. */
async function withFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'netyard-layer-'));
  mount({ source: 'tmpfs', target: folder, type: 'tmpfs' });
  try {
    return await work(folder);
  } finally {
    unmount(folder, { lazy: true });
    rmSync(folder, { recursive: true });
  }
}

async function write(folder: string, entries: readonly Entry[]): Promise<LayerReport> {
  return await writeLayer(inPieces(tarOf(entries)), folder, open);
}

const isWhiteout = (path: string): boolean => lstatSync(path).isCharacterDevice() && lstatSync(path).rdev === 0;

test('marks of deletions become those of overlayfs', fresh, () =>
  withFolder(async (folder) => {
    await write(folder, [
      { name: 'etc/', type: 'directory', mode: 0o755 },
      { name: 'etc/.wh.gone' },
      { name: 'opaque/.wh..wh..opq' },
      { name: 'opaque/new', text: 'new' },
      { name: 'own', text: 'of this layer' },
      { name: '.wh.own' },
      { name: '.wh..wh.plnk/1.2' },
      { name: '.wh..wh.aufs' },
    ]);
    const diff = join(folder, 'diff');
    assert.ok(isWhiteout(join(diff, 'etc/gone')));
    assert.ok(isWhiteout(join(diff, 'own')));
    const opaque = getXattr(join(diff, 'opaque'), 'trusted.overlay.opaque');
    assert.equal(Buffer.from(opaque ?? []).toString(), 'y');
    assert.deepEqual(readdirSync(diff).sort(), ['etc', 'opaque', 'own']);
  }),
);

test('marks that would delete a directory itself are rejected', fresh, async () => {
  for (const name of ['.wh.', 'a/.wh..', 'a/.wh...']) {
    await withFolder((folder) =>
      assert.rejects(write(folder, [{ name: 'a/', type: 'directory' }, { name }]), /marks no name as deleted/, name),
    );
  }
});

test('an archive whose entries replace each other is assembled again', fresh, () =>
  withFolder(async (folder) => {
    const entries: Entry[] = [
      { name: './', type: 'directory', mode: 0o755 },
      { name: 'file', text: 'first' },
      { name: 'file', text: 'second, longer' },
      { name: 'folder/', type: 'directory', mode: 0o700 },
      { name: 'folder/a', text: 'a' },
      { name: 'folder/sub/b', text: 'b' },
      { name: 'folder/a', text: 'A' },
      { name: 'folder', text: 'a file instead' },
      { name: '.wh.folder' },
      { name: 'folder/sub/b', text: 'again' },
      { name: 'link', type: 'symlink', linkname: 'folder' },
      { name: 'link/c', text: 'through a link' },
      { name: 'hard', type: 'link', linkname: 'link/c' },
      { name: 'link/c', text: 'replaced' },
      { name: 'empty' },
      { name: 'content of a mark/.wh.x', text: 'ignored' },
    ];
    await assert.rejects(write(folder, entries), /not a directory/, 'an entry below a mark');
    rmSync(join(folder, 'diff'), { recursive: true });
    for (const name of ['tar', 'moved', 'replaced']) rmSync(join(folder, name), { recursive: true, force: true });
    const valid = entries.filter(({ name }) => name !== '.wh.folder').map((entry) => entry);
    valid.splice(8, 0, { name: 'folder', type: 'directory' });
    const archive = Buffer.concat([tarOf(valid), Buffer.alloc(8192), Buffer.from('after the end')]);
    const report = await writeLayer(inPieces(archive, 777), folder, open);
    const diff = join(folder, 'diff');
    assert.equal(readFileSync(join(diff, 'file'), 'utf8'), 'second, longer');
    assert.equal(readFileSync(join(diff, 'folder/c'), 'utf8'), 'replaced');
    assert.equal(readFileSync(join(diff, 'hard'), 'utf8'), 'through a link');
    assert.deepEqual(await joined(assembleLayer(folder, report.diffId)), archive);
    assert.equal(report.length, archive.length);
    writeFileSync(join(diff, 'file'), 'second, longeR');
    await assert.rejects(joined(assembleLayer(folder, report.diffId)), /no longer those of the layer/);
    writeFileSync(join(diff, 'file'), 'short');
    await assert.rejects(joined(assembleLayer(folder, report.diffId)), /no longer as it was unpacked/);
    rmSync(join(diff, 'file'));
    await assert.rejects(joined(assembleLayer(folder, report.diffId)), { code: 'failed', message: /no longer as it/ });
  }),
);

test('what was replaced is removed when the archive is not kept', fresh, () =>
  withFolder(async (folder) => {
    const archive = tarOf([
      { name: 'x', text: 'old' },
      { name: 'x', text: 'new' },
    ]);
    await writeLayer(inPieces(gzipSync(archive)), folder, { ...open, keepTar: false });
    assert.deepEqual(readdirSync(folder), ['diff']);
    assert.equal(readFileSync(join(folder, 'diff/x'), 'utf8'), 'new');
  }),
);

test('a damaged record is an error, not another archive', fresh, () =>
  withFolder(async (folder) => {
    const { diffId } = await write(folder, [{ name: 'x', text: 'text' }]);
    const record = readFileSync(join(folder, 'tar'));
    for (const at of [0, 5, 12, record.length - 1]) {
      const bad = Buffer.from(record);
      bad[at] = (bad[at] ?? 0) ^ 0x55;
      writeFileSync(join(folder, 'tar'), bad);
      await assert.rejects(joined(assembleLayer(folder, diffId)), { code: 'failed' }, String(at));
    }
    writeFileSync(join(folder, 'tar'), record.subarray(0, -3));
    await assert.rejects(joined(assembleLayer(folder, diffId)), { code: 'failed', message: /damaged/ });
  }),
);

test('names never lead out of the layer', fresh, () =>
  withFolder(async (outside) => {
    writeFileSync(join(outside, 'victim'), 'untouched');
    const folder = join(outside, 'layer');
    mkdirSync(folder);
    await write(folder, [
      { name: 'root', type: 'symlink', linkname: '/' },
      { name: 'up', type: 'symlink', linkname: '/../../..' },
      { name: 'target', type: 'symlink', linkname: `${outside}/made` },
      { name: 'root/a', text: 'a' },
      { name: 'up/b', text: 'b' },
      { name: 'target/c', text: 'c' },
      { name: 'root/.wh.victim' },
      { name: 'link', type: 'link', linkname: 'up/a' },
    ]);
    const diff = join(folder, 'diff');
    assert.deepEqual(
      ['a', 'b', 'link'].map((name) => readFileSync(join(diff, name), 'utf8')),
      ['a', 'b', 'a'],
    );
    assert.equal(readFileSync(join(diff, outside, 'made/c'), 'utf8'), 'c');
    assert.ok(isWhiteout(join(diff, 'victim')));
    assert.deepEqual(readdirSync(outside).sort(), ['layer', 'victim']);
    assert.equal(readFileSync(join(outside, 'victim'), 'utf8'), 'untouched');
  }),
);

test('directories without an entry look as in the layer below', fresh, () =>
  withFolder(async (folder) => {
    const [lower, upper] = [join(folder, 'lower'), join(folder, 'upper')];
    mkdirSync(lower);
    mkdirSync(upper);
    await write(lower, [
      { name: 'home/', type: 'directory', mode: 0o1777, uid: 7, gid: 8, mtime: 5_000_000_001n },
      { name: 'elsewhere', type: 'symlink', linkname: '/etc' },
    ]);
    const report = await write(upper, [{ name: 'home/x' }, { name: 'elsewhere/y' }, { name: 'new/z' }]);
    assert.deepEqual(report.undescribed, ['home', 'elsewhere', 'new']);
    await describeFolders(join(upper, 'diff'), report.undescribed, [join(lower, 'diff')]);
    const { mode, uid, gid, mtimeNs } = statSync(join(upper, 'diff/home'), { bigint: true });
    assert.deepEqual([mode & 0o7777n, uid, gid, mtimeNs], [0o1777n, 7n, 8n, 5_000_000_001n]);
    assert.equal(statSync(join(upper, 'diff/new')).mode & 0o7777, 0o755);
  }),
);

test('damaged, hostile and too large layers are rejected', fresh, async () => {
  const fine = tarOf([{ name: 'a', text: 'x'.repeat(1000) }]);
  const cases: [string, Buffer, RegExp][] = [
    ['truncated', fine.subarray(0, 700), /unexpected EOF/],
    ['truncated gzip', gzipSync(fine).subarray(0, 40), /damaged gzip data|unexpected end/],
    ['leads out', tarOf([{ name: '../a' }]), /leads out/],
    ['device', tarOf([{ name: 'a', type: 'block-device', devmajor: 8, devminor: 0 }]), /is a device/],
    ['below a file', tarOf([{ name: 'a' }, { name: 'a/b' }]), /not a directory/],
    ['link to nothing', tarOf([{ name: 'a', type: 'link', linkname: 'b' }]), /which it does not have/],
    ['top', tarOf([{ name: './', type: 'file' }]), /the top/],
    ['loop', tarOf([{ name: 'a', type: 'symlink', linkname: 'a' }, { name: 'a/b' }]), /not a directory/],
  ];
  for (const [name, archive, message] of cases) {
    await withFolder((folder) =>
      assert.rejects(writeLayer(inPieces(archive), folder, open), { code: 'invalid', message }, name),
    );
  }
  const holes = inPieces(encodeHeader(tarHeader({ name: 'huge', size: 2 ** 50 })));
  await withFolder((folder) =>
    assert.rejects(writeLayer(holes, folder, { ...open, mostBytes: 2 ** 40 }), /more than the 1099511627776 bytes/),
  );
});

test('a large layer is unpacked by a thread', fresh, () =>
  withFolder(async (folder) => {
    execFileSync('sh', ['-c', `mkdir ${folder}/tree && cp -a /usr/share/doc /etc ${folder}/tree`]);
    const options = { maxBuffer: 1e9, stdio: ['ignore', 'pipe', 'ignore'] as ['ignore', 'pipe', 'ignore'] };
    const archive = execFileSync('tar', ['-C', `${folder}/tree`, '--format=pax', '-c', '.'], options);
    for (const [name, bytes] of [['plain', archive] as const, ['gzip', gzipSync(archive, { level: 1 })] as const]) {
      const layer = join(folder, name);
      mkdirSync(layer);
      const report = await new LayerUnpacker().unpack(inPieces(bytes, 65_536), { folder: layer, ...open });
      assert.equal(report.length, archive.length);
      const assembled = await joined(assembleLayer(layer, report.diffId));
      assert.ok(assembled.equals(archive), name);
    }
    execFileSync('diff', ['-r', '--no-dereference', join(folder, 'tree'), join(folder, 'plain/diff')]);
  }),
);

test('when the source or the layer fails, the thread ends with its error', fresh, async () => {
  const failing = async function* () {
    yield* inPieces(tarOf([{ name: 'a', text: 'x'.repeat(600_000) }], Buffer.alloc(0)), 65_536);
    throw new Error('the client is gone');
  };
  await withFolder((folder) =>
    assert.rejects(new LayerUnpacker().unpack(failing(), { folder, ...open }), { message: 'the client is gone' }),
  );
  const bad = Buffer.concat([tarOf([{ name: '../a' }]), Buffer.alloc(30_000_000)]);
  await withFolder((folder) =>
    assert.rejects(new LayerUnpacker().unpack(inPieces(bad, 65_536), { folder, ...open }), {
      code: 'invalid',
      message: /leads out/,
    }),
  );
});

test('layers are unpacked while silent clients keep all threads busy', fresh, () =>
  withFolder(async (folder) => {
    const unpacker = new LayerUnpacker();
    const end = Promise.withResolvers<void>();
    const silent = async function* () {
      yield tarOf([{ name: 'a' }], Buffer.alloc(0));
      await end.promise;
      throw new Error('gone');
    };
    const folderOf = (name: string): string => {
      mkdirSync(join(folder, name));
      return join(folder, name);
    };
    const held = Array.from({ length: 12 }, (_, index) =>
      unpacker.unpack(silent(), { folder: folderOf(`silent ${index}`), ...open }),
    );
    const archive = tarOf([{ name: 'b', text: 'x'.repeat(600_000) }]);
    const { diffId } = await unpacker.unpack(inPieces(archive, 65_536), { folder: folderOf('mine'), ...open });
    assert.ok((await joined(assembleLayer(join(folder, 'mine'), diffId))).equals(archive));
    end.resolve();
    for (const result of await Promise.allSettled(held)) assert.equal(result.status, 'rejected');
  }),
);

test('layers after each other share one thread: each that ends would leak memory', fresh, () =>
  withFolder(async (folder) => {
    const unpacker = new LayerUnpacker();
    const started = await countThreads(async () => {
      for (let index = 0; index < 20; index += 1) {
        const layer = join(folder, String(index));
        mkdirSync(layer);
        const archive = tarOf([{ name: index % 2 === 0 ? 'fine' : '../invalid', text: 'x'.repeat(10_000) }]);
        const result = unpacker.unpack(inPieces(archive), { folder: layer, ...open });
        if (index % 2 === 0) assert.equal((await result).length, archive.length);
        else await assert.rejects(result, /leads out/);
      }
    });
    assert.equal(started, 1);
  }),
);
