/**
 * A seeded tree of all kinds of entries goes through cp, export, import, run, save and load, packed and unpacked by GNU
 * tar, on Netyard and on dockerd: identical on Netyard, and on dockerd but for what docs/differences.md lists.
 */
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type DescribeOptions, describeTree, differencesOf, makeTree, wholeSeconds } from '@netyard/testkit';
import { cannotRun, type EngineName } from './support/engines.ts';
import { openHost, type TestHost } from './support/host.ts';

const seed = Number((process.env['NETYARD_TREE_SEEDS'] ?? '1').split(',')[0]);

/** What each way keeps, by engine. dockerd takes a time before 1970 for 1970. */
const keeps: Readonly<Record<EngineName, DescribeOptions>> = {
  netyard: {},
  dockerd: {
    timeOf: (time) => (time < 0n ? 0n : wholeSeconds(time)),
    hasXattr: (name) => name === 'security.capability',
  },
};
/** Layers are unpacked as Docker unpacks them. */
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

    const made = (name: string, layer: boolean): string => {
      mkdirSync(join(trees, name));
      makeTree(join(trees, name, 'top'), { seed, layer, ...(layer ? { longestPath: 3000 } : {}) });
      return join(trees, name);
    };
    const pack = (folder: string, options = ''): string =>
      `tar -C ${folder} --format=pax --xattrs '--xattrs-exclude=trusted.*' ${options} -cf - top`;
    /** A shell line that unpacks what `source` prints into a new folder. */
    const unpacked = async (name: string, source: string): Promise<string> => {
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

    test('cp in, cp out, export', async () => {
      const tree = made('from', false);
      await host.docker('create', '--name', 'copy', 'netyard-test', 'true');
      await host.sh(`${pack(tree)} | docker cp - copy:/`);
      assertSame(await unpacked('copied', 'docker cp copy:/top -'), tree);
      assertSame(await unpacked('exported', 'docker export copy'), tree);
    });

    test('import, run, export; save, load', async () => {
      const tree = made('layer', true);
      // dockerd 20.10 cannot save what it imported from a sparse archive: "could not verify layer data"
      await host.sh(`${pack(tree, engine === 'netyard' ? '-S' : '')} | docker import - tree:1`);
      await host.docker('create', '--name', 'imported', 'tree:1', '/true');
      assertSame(await unpacked('from-import', 'docker export imported'), tree, layerKeeps);
      await host.sh('docker save tree:1 > /run/saved.tar');
      await host.docker('rm', 'imported');
      await host.docker('rmi', 'tree:1');
      await host.sh('docker load -q -i /run/saved.tar');
      await host.docker('create', '--name', 'loaded', 'tree:1', '/true');
      assertSame(await unpacked('from-load', 'docker cp loaded:/top -'), tree, layerKeeps);
    });
  });
}
