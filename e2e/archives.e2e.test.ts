/**
 * A generated file tree passes through cp, export, import, run, save and load, with GNU tar at the other end. On Netyard it
 * is unchanged, on dockerd except for what docs/differences.md lists. Running containers, whose roots Netyard removes from
 * the host's mount table, are read and written as well.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type DescribeOptions, describeTree, differencesOf, makeTree, wholeSeconds } from '@netyard/testkit';
import { cannotRun, type EngineName } from './support/engines.ts';
import { openHost, type TestHost, until } from './support/host.ts';

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

    /** Lines of container roots in the host's mount table; dockerd's stay as long as the containers run. */
    const attachedRoots = async (): Promise<string> => host.sh("grep -o '[^ ]*/merged ' /proc/mounts || true");
    const untilDetached = (): Promise<void> =>
      until(async () => engine === 'dockerd' || (await attachedRoots()) === '', 'no root is in the mount table');

    test('a running container is copied, exported, committed and entered, also when restarted', async () => {
      const users = 'echo web:x:1234:1234::/:/bin/sh > /etc/passwd';
      const fill = `mkdir /data; echo below > /data/below; ${users}`;
      await host.docker('run', '--name', 'filled', 'netyard-test', 'sh', '-c', fill);
      await host.docker('commit', 'filled', 'filled:1');
      await host.sh('mkdir /run/above; echo web:x:5678:5678::/:/bin/sh > /run/above/passwd; echo in > /run/in');
      const mounts = ['-v', '/run/above:/data', '-v', '/run/above/passwd:/etc/passwd'];
      const write = ['sh', '-c', 'echo written > /written; exec sleep 1000'];
      await host.docker('run', '-d', '--name', 'running', ...mounts, 'filled:1', ...write);
      const runs = async (): Promise<void> => {
        await untilDetached();
        assert.equal(await host.sh('docker export running | tar -xO data/below'), 'below\n');
        assert.equal(await host.sh("docker export running | tar -t | grep '^data/'"), 'data/\ndata/below\n');
        assert.equal(await host.sh('docker cp running:/data - | tar -t'), 'data/\ndata/passwd\n');
        assert.equal(await host.sh('docker cp running:/written - | tar -xO'), 'written\n');
        assert.equal(await host.docker('exec', '-u', 'web', 'running', 'id', '-u'), '1234');
      };
      await runs();
      await host.docker('cp', '/run/in', 'running:/in');
      assert.deepEqual((await host.docker('diff', 'running')).split('\n').sort(), ['A /in', 'A /written']);
      await host.docker('commit', 'running', 'running:1');
      assert.equal(await host.docker('run', '--rm', 'running:1', 'cat', '/in'), 'in');
      await host.docker('restart', '-t', '0', 'running');
      await runs();
      assert.equal(await host.docker('exec', 'running', 'cat', '/in'), 'in');
    });

    const isNetyard = { skip: engine === 'dockerd' && "it keeps roots in the host's mount table" };

    test('roots leave the mount table after a kill of the daemon, too', isNetyard, async () => {
      await host.sh('docker run -d --name fresh netyard-test sleep 1000; kill -9 $(cat /run/netyard/netyard.pid)');
      await host.killDaemon().catch(() => undefined); // only waits: it is dead
      await host.restartDaemon();
      await untilDetached();
      for (const name of ['running', 'fresh']) {
        assert.equal(await host.sh(`docker export ${name} | tar -t | grep -x etc/passwd`), 'etc/passwd\n');
        const merged = await host.docker('inspect', '-f', '{{.GraphDriver.Data.MergedDir}} {{.State.Pid}}', name);
        const [path = '', pid] = merged.split(' ');
        assert.equal(path, `/proc/${pid}/root`);
        assert.match(await host.sh(`ls ${path}/etc`), /^passwd$/m);
      }
      assert.equal(await host.docker('exec', '-u', 'web', 'running', 'id', '-u'), '1234');
    });

    test('a container starts while a process holds the namespace of its last run', isNetyard, async () => {
      const pid = await host.docker('inspect', '-f', '{{.State.Pid}}', 'running');
      const holder = host.start(['nsenter', '-t', pid, '-m', 'sh', '-c', 'echo held; exec sleep 1000']);
      await once(holder.stdout as NodeJS.ReadableStream, 'data');
      await host.docker('restart', '-t', '0', 'running');
      await host.docker('exec', 'running', 'sh', '-c', 'echo more > /more');
      await host.docker('stop', '-t', '0', 'running');
      assert.equal(await attachedRoots(), '');
      await host.docker('start', 'running');
      holder.kill('SIGKILL');
      await host.docker('restart', '-t', '0', 'running');
      assert.equal(await host.docker('exec', 'running', 'cat', '/in', '/more', '/written'), 'in\nmore\nwritten');
      await host.docker('rm', '-f', 'running', 'fresh');
      assert.equal(await attachedRoots(), '');
      const found = await host.netyard('system', 'cleanup', '--dry-run');
      assert.equal(found, 'Nothing to clean up: everything that Netyard created is in use.');
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
