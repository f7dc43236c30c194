/** The changes of a container as an image layer: whiteouts, opaque directories, links, devices, attributes; early ends. */
import assert from 'node:assert/strict';
import { chownSync, linkSync, mkdirSync, readdirSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { test } from 'node:test';
import { type TarHeader, tarEntries } from '@netyard/core';
import { makeDevice, makeFifo, setXattr } from '@netyard/kernel';
import { countThreads, inFreshHost } from '@netyard/testkit';
import { containerId, useRootfsHost } from './rootfs-host.ts';

const fresh = inFreshHost(import.meta.url);
const host = useRootfsHost(fresh);

async function headersOf(stream: Readable): Promise<Map<string, TarHeader>> {
  const headers = new Map<string, TarHeader>();
  for await (const { header } of tarEntries(stream as AsyncIterable<Uint8Array>)) headers.set(header.name, header);
  return headers;
}

/** Files of the machine's threads that a reader holds open below a directory. */
const openBelow = (folder: string): string[] =>
  readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`);
      return path.startsWith(folder) ? [path] : [];
    } catch {
      return [];
    }
  });

test('a layer has the changes of a container, deletions as whiteouts', fresh, async () => {
  const image = { 'etc/gone': '', 'etc/kept': 'old', 'home/a': '', 'home/b': '', 'same/y': '' };
  await host.withContainer(image, async (root) => {
    rmSync(join(root, 'etc/gone'));
    writeFileSync(join(root, 'etc/kept'), 'new');
    rmSync(join(root, 'home'), { recursive: true });
    mkdirSync(join(root, 'home'));
    writeFileSync(join(root, 'home/c'), '');
    mkdirSync(join(root, 'new'));
    writeFileSync(join(root, 'new/file'), 'content');
    linkSync(join(root, 'new/file'), join(root, 'new/hard'));
    symlinkSync('file', join(root, 'new/soft'));
    makeFifo(join(root, 'new/pipe'));
    makeDevice(join(root, 'new/null'), 'character', 1, 3);
    chownSync(join(root, 'new/file'), 1000, 70_000);
    setXattr(join(root, 'new/file'), 'user.note', Buffer.from('value'));
    setXattr(join(root, 'new/file'), 'user.overlay.opaque', Buffer.from('y'));
    const headers = await headersOf(host.rootfs.readLayer(containerId));
    assert.deepEqual(
      [...headers].map(([name, { type, linkname }]) => `${name} ${type}${linkname === '' ? '' : ` ${linkname}`}`),
      [
        'etc/ directory',
        'etc/.wh.gone file',
        'etc/kept file',
        'home/ directory',
        'home/.wh..wh..opq file',
        'home/c file',
        'new/ directory',
        'new/.wh..wh..opq file',
        'new/file file',
        'new/hard link new/file',
        'new/null character-device',
        'new/pipe fifo',
        'new/soft symlink file',
      ].filter((line) => headers.has('new/.wh..wh..opq') || !line.startsWith('new/.wh.')),
    );
    const file = headers.get('new/file');
    assert.deepEqual([file?.uid, file?.gid, file?.size], [1000, 70_000, 7]);
    assert.deepEqual(
      [...(file?.xattrs ?? [])].map(([name, value]) => `${name}=${Buffer.from(value)}`),
      ['user.note=value'],
    );
    assert.deepEqual([headers.get('new/null')?.devmajor, headers.get('new/null')?.devminor], [1, 3]);
  });
});

test('a container without changes has an empty layer', fresh, async () => {
  await host.withContainer({ 'etc/x': '' }, async () => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of host.rootfs.readLayer(containerId)) chunks.push(chunk);
    assert.deepEqual(Buffer.concat(chunks), Buffer.alloc(1024));
  });
});

test('a reader that ends early leaves nothing open', fresh, async () => {
  await host.withContainer({ x: '' }, async (root) => {
    mkdirSync(join(root, 'big'));
    for (let index = 0; index < 20; index += 1)
      writeFileSync(join(root, 'big', String(index)), Buffer.alloc(1024 * 1024, index));
    const stream = host.rootfs.readLayer(containerId);
    for await (const chunk of stream) {
      assert.ok(chunk.length > 0);
      break;
    }
    assert.ok(stream.destroyed);
    await new Promise<void>((resolve) => (stream.closed ? resolve() : stream.once('close', () => resolve())));
    assert.deepEqual(openBelow(host.folder), []);
  });
});

test('a failure of the reader is the error of the stream', fresh, async () => {
  await assert.rejects(headersOf(host.rootfs.readLayer('e'.repeat(64))), { code: 'failed', message: /no such file/i });
});

test('readers after each other share one thread: each that ends would leak memory', fresh, async () => {
  await host.withContainer({ x: '' }, async (root) => {
    writeFileSync(join(root, 'big'), Buffer.alloc(1024 * 1024));
    await headersOf(host.rootfs.readLayer(containerId));
    const started = await countThreads(async () => {
      for (let times = 0; times < 10; times += 1) {
        assert.ok((await headersOf(host.rootfs.readLayer(containerId))).has('big'));
        for await (const chunk of host.rootfs.readLayer(containerId)) {
          assert.ok(chunk.length > 0);
          break;
        }
      }
    });
    assert.equal(started, 0);
  });
});
