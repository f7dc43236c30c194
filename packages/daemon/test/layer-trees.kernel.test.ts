/**
 * Seeded trees as layers of an image: imported, loaded, saved and loaded again, they are unpacked unchanged, including
 * holes. NETYARD_TREE_SEEDS=1,2,3 chooses the seeds.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, before, test } from 'node:test';
import { describeTree, differencesOf, inFreshHost, makeTree } from '@netyard/testkit';
import { collect, dockerArchive, type ImageHost, load, removeAllImages, startImageHost, tarOf } from './image-host.ts';

const fresh = inFreshHost(import.meta.url);
const seeds = (process.env['NETYARD_TREE_SEEDS'] ?? '1').split(',').map(Number);
let host: ImageHost;
before(async () => {
  if (fresh.skip === false) host = await startImageHost();
});
after(() => host?.[Symbol.asyncDispose]());

const options = {
  skip: (path: string) => path.startsWith('hard/pipe'), // GNU tar extracts one FIFO with two names as two
  timeOf: (time: bigint) => (time < 0n ? 0n : time), // containerd, like Docker, has no time before 1970
};

/** The directory of an image's only layer. */
async function layerOf(name: string): Promise<string> {
  const [layer] = (await host.images.get(name)).layers;
  return join(host.containerd.folder, 'overlay/layers', layer?.chainId.slice(7) ?? '', 'diff');
}

async function assertLayer(name: string, tree: string, isSparse: boolean): Promise<void> {
  const layer = join(await layerOf(name), 'top');
  assert.deepEqual(differencesOf(describeTree(layer, options), describeTree(tree, options)), [], name);
  for (const hole of ['start', 'middle', 'end', 'both', 'many', 'nothing']) {
    const { blocks, size } = statSync(join(layer, 'holes', hole));
    if (isSparse) assert.ok(blocks * 512 <= size / 2, `${hole} of ${name} has ${blocks} blocks for ${size} bytes`);
  }
}

for (const seed of seeds) {
  for (const sparse of [[], ['-S'], ['-S', '--sparse-version=0.1']]) {
    test(`seed ${seed} ${sparse.join(' ')}: import, load, save, load`, fresh, async (t) => {
      const folder = join(host.containerd.folder, 'trees');
      mkdirSync(folder);
      t.after(() => rmSync(folder, { recursive: true, force: true }));
      const tree = join(folder, 'top');
      makeTree(tree, { seed, layer: true, longestPath: 3000 });
      const pack = ['--format=pax', '--xattrs', '--xattrs-exclude=trusted.*', ...sparse, '-cf', '-', 'top'];
      const layer = execFileSync('tar', pack, { cwd: folder, maxBuffer: 1e9, stdio: ['ignore', 'pipe', 'ignore'] });
      const request = { repository: 'imported', tag: '1', message: '', changes: [] };
      await collect(host.images.import(Readable.from([layer]), request));
      await assertLayer('imported:1', tree, sparse.length > 0);
      await removeAllImages(host);
      await load(host, await tarOf(dockerArchive({ tags: ['loaded:1'], layers: [layer] })));
      await assertLayer('loaded:1', tree, sparse.length > 0);
      const chunks: Uint8Array[] = [];
      for await (const chunk of await host.images.save(['loaded:1'])) chunks.push(Buffer.from(chunk));
      await removeAllImages(host);
      await load(host, Buffer.concat(chunks));
      await assertLayer('loaded:1', tree, sparse.length > 0);
      await removeAllImages(host);
    });
  }
}

test('holes are not punched into a later file of the same name', fresh, async () => {
  const folder = join(host.containerd.folder, 'twice');
  const script = `
    mkdir -p a b; truncate -s 1M a/f; head -c 1M /dev/urandom > b/f
    tar -S --format=pax -cf ../twice.tar a/f; rm -r a; ln -s b a; tar --format=pax -rf ../twice.tar a b/f`;
  mkdirSync(folder);
  execFileSync('sh', ['-ec', script], { cwd: folder });
  const layer = execFileSync('cat', ['../twice.tar'], { cwd: folder, maxBuffer: 1e9 });
  await load(host, await tarOf(dockerArchive({ tags: ['twice:1'], layers: [layer] })));
  execFileSync('cmp', [join(folder, 'b/f'), join(await layerOf('twice:1'), 'b/f')]);
  await removeAllImages(host);
});
