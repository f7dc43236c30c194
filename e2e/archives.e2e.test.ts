/**
 * A generated file tree passes through cp, export, import, run, save and load, with GNU tar at the other end. On Netyard it
 * is unchanged, on dockerd except for what docs/differences.md lists.
 */
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type DescribeOptions, describeTree, differencesOf, makeTree, wholeSeconds } from '@netyard/testkit';
import { cannotRun, type EngineName } from './support/engines.ts';
import { openHost, type TestHost } from './support/host.ts';

const seed = Number((process.env['NETYARD_TREE_SEEDS'] ?? '1').split(',')[0]);

/** What an engine preserves. dockerd sets times before 1970 to 1970. */
const keeps: Readonly<Record<EngineName, DescribeOptions>> = {
  netyard: {},
  dockerd: {
    timeOf: (time) => (time < 0n ? 0n : wholeSeconds(time)),
    hasXattr: (name) => name === 'security.capability',
  },
};
/** What an engine preserves in layers, which Netyard unpacks as Docker does. */
const layerKeeps: Readonly<Record<EngineName, DescribeOptions>> = {
  netyard: { timeOf: (time) => (time < 0n ? 0n : time) },
  dockerd: keeps.dockerd,
};

for (const engine of ['netyard', 'dockerd'] as const) {
  describe(engine, { skip: cannotRun(engine) }, () => {
    let host: TestHost;
    let trees: string;
    before(async () => {
      host = await openHost(engine, { images: ['netyard-test'] });
      trees = join(host.dataFolder, 'trees');
      mkdirSync(trees);
    });
    after(() => host?.close());

    const createTree = (name: string, layer: boolean): string => {
      mkdirSync(join(trees, name));
      makeTree(join(trees, name, 'top'), { seed, layer, ...(layer ? { longestPath: 3000 } : {}) });
      return join(trees, name);
    };
    const pack = (folder: string, options = ''): string =>
      `tar -C ${folder} --format=pax --xattrs '--xattrs-exclude=trusted.*' ${options} -cf - top`;
    /** Unpacks the archive that the shell command `source` prints into a new folder. */
    const unpack = async (name: string, source: string): Promise<string> => {
      const folder = join(trees, name);
      mkdirSync(folder);
      const extract = `tar -C ${folder} --xattrs '--xattrs-include=*' --numeric-owner --warning=no-timestamp -xpf -`;
      await host.output('bash', '-o', 'pipefail', '-c', `${source} | ${extract} top`);
      return folder;
    };
    const assertSame = (copy: string, original: string, kept = keeps): void => {
      const options = { ...kept[engine], skip: (path: string) => path.startsWith('hard/pipe') };
      const [actual, expected] = [copy, original].map((folder) => describeTree(join(folder, 'top'), options));
      if (actual && expected) assert.deepEqual(differencesOf(actual, expected), []);
    };

    test('cp in both directions and export preserve a tree', async () => {
      const tree = createTree('from', false);
      await host.docker('create', '--name', 'copy', 'netyard-test', 'true');
      await host.sh(`${pack(tree)} | docker cp - copy:/`);
      assertSame(await unpack('copied', 'docker cp copy:/top -'), tree);
      assertSame(await unpack('exported', 'docker export copy'), tree);
    });

    test('import, export, save and load preserve a tree', async () => {
      const tree = createTree('layer', true);
      // dockerd 20.10 cannot save an image imported from a sparse archive: "could not verify layer data"
      await host.sh(`${pack(tree, engine === 'netyard' ? '-S' : '')} | docker import - tree:1`);
      await host.docker('create', '--name', 'imported', 'tree:1', '/true');
      assertSame(await unpack('from-import', 'docker export imported'), tree, layerKeeps);
      await host.sh('docker save tree:1 > /run/saved.tar');
      await host.docker('rm', 'imported');
      await host.docker('rmi', 'tree:1');
      await host.sh('docker load -q -i /run/saved.tar');
      await host.docker('create', '--name', 'loaded', 'tree:1', '/true');
      assertSame(await unpack('from-load', 'docker cp loaded:/top -'), tree, layerKeeps);
    });
  });
}
