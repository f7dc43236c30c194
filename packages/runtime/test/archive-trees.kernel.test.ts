/**
 * Seeded trees of all kinds of entries survive cp, export, a copy into a volume and GNU tar unchanged.
 * NETYARD_TREE_SEEDS=1,2,3 chooses the seeds; `script/archive-trees` runs many.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { test } from 'node:test';
import { listXattrs, mount } from '@netyard/kernel';
import { inFreshHost, makeTree, wholeSeconds } from '@netyard/testkit';
import { assertSameTop, plain, useRootfsHost } from './rootfs-host.ts';

const fresh = inFreshHost(import.meta.url);
const host = useRootfsHost(fresh);
const seeds = (process.env['NETYARD_TREE_SEEDS'] ?? '1,2').split(',').map(Number);

/** A root with the tree of a seed as `top` in it. */
function rootWithTree(name: string, seed: number): string {
  const root = host.emptyFolder(name);
  makeTree(join(root, 'top'), { seed });
  return root;
}

const holes = ['start', 'middle', 'end', 'both', 'many', 'nothing'];

/** Bytes on disk, and the size without holes. */
function hold(root: string, name: string): { disk: number; size: number } {
  const { blocks, size } = statSync(join(root, 'top/holes', name));
  return { disk: blocks * 512, size };
}

/** Extracts with GNU tar, as an independent reader. */
async function extract(archive: NodeJS.ReadableStream, target: string): Promise<void> {
  const options = ['--xattrs', '--xattrs-include=*', '--numeric-owner', '--warning=no-timestamp', '-xpf', '-'];
  const child = spawn('tar', options, { cwd: target, stdio: ['pipe', 'ignore', 'pipe'] });
  const chunks: Uint8Array[] = [];
  child.stderr.on('data', (chunk: Uint8Array) => chunks.push(chunk));
  const closed = once(child, 'close');
  await pipeline(archive, child.stdin).catch(() => undefined); // tar reports why it stopped reading
  const [status] = await closed;
  assert.equal(status, 0, Buffer.concat(chunks).toString().slice(0, 2000));
}

function assertNothingTrusted(root: string): void {
  for (const name of ['attributes/overlay', 'attributes/opaque']) {
    const found = listXattrs(join(root, 'top', name)).filter((attribute) => attribute.startsWith('trusted.'));
    assert.deepEqual(found, []);
  }
}

for (const seed of seeds) {
  test(
    `seed ${seed}: a tree is unchanged by cp, export and the copy of an image's folder into a volume`,
    fresh,
    async () => {
      const tree = rootWithTree(`from-${seed}`, seed);
      const copied = host.emptyFolder(`copied-${seed}`);
      await host.rootfs.writeArchive(copied, '/', (await host.rootfs.readArchive(tree, '/top')).stream, plain);
      assertSameTop(copied, tree);
      assertNothingTrusted(copied);
      const exported = host.emptyFolder(`exported-${seed}`);
      await host.rootfs.writeArchive(exported, '/', await host.rootfs.exportTree(tree), plain);
      assertSameTop(exported, tree);
      const volume = host.emptyFolder(`volume-${seed}`);
      mkdirSync(join(volume, 'top'));
      await host.rootfs.copyTree(tree, '/top', join(volume, 'top'));
      assertSameTop(volume, tree);
    },
  );

  test(`seed ${seed}: GNU tar extracts an exported tree unchanged`, fresh, async () => {
    const tree = rootWithTree(`gnu-from-${seed}`, seed);
    const target = host.emptyFolder(`gnu-${seed}`);
    await extract(await host.rootfs.exportTree(tree), target);
    assertSameTop(target, tree);
  });

  for (const options of [
    ['--format=pax', '--xattrs'],
    ['--format=pax', '--xattrs', '-S'],
    ['--format=pax', '-S', '--sparse-version=0.1'],
    ['--format=pax', '-S', '--sparse-version=0.0'],
    ['--format=gnu', '-S'],
    ['--format=gnu'],
  ]) {
    test(`seed ${seed}: a tree from GNU tar ${options.join(' ')} is unpacked unchanged`, fresh, async () => {
      const name = `${seed}${options.join('')}`;
      const tree = rootWithTree(`made-${name}`, seed);
      const child = spawn('tar', [...options, '-cf', '-', 'top'], { cwd: tree, stdio: ['ignore', 'pipe', 'ignore'] });
      const copied = host.emptyFolder(`in-${name}`);
      await host.rootfs.writeArchive(copied, '/', child.stdout, plain);
      const hasXattrs = options.includes('--xattrs');
      assertSameTop(copied, tree, {
        timeOf: options.includes('--format=gnu') ? wholeSeconds : (time) => time,
        skip: (path) => path.startsWith('hard/pipe'), // GNU tar extracts one FIFO with two names as two
        hasXattr: (attribute) => hasXattrs && /^(?:user\.|security\.capability$)/.test(attribute),
      });
      if (!options.includes('-S')) return;
      for (const each of holes) {
        const { disk, size } = hold(copied, each);
        assert.ok(disk <= size / 2, `${each} has ${disk} bytes on disk for ${size}`);
      }
    });
  }
}

test(
  'attributes of the host are not copied, and a file system without attributes accepts the files',
  fresh,
  async () => {
    const tree = rootWithTree('all-attributes', 1);
    const bare = host.emptyFolder('bare');
    mount({ source: 'ramfs', target: bare, type: 'ramfs' });
    for (const target of [host.emptyFolder('filtered'), bare]) {
      const options = ['--format=pax', '--xattrs', '--xattrs-include=*', '-cf', '-', 'top'];
      const child = spawn('tar', options, { cwd: tree, stdio: ['ignore', 'pipe', 'ignore'] });
      await host.rootfs.writeArchive(target, '/', child.stdout, plain);
      assertNothingTrusted(target);
      const hasXattr = (name: string): boolean => target !== bare && name.startsWith('user.');
      assertSameTop(target, tree, { skip: (path) => path.startsWith('hard/pipe'), hasXattr });
    }
  },
);
