/** Images that are committed from containers: a generated tree of files, the `netyard` command, and a daemon that dies. */
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { describeTree, differencesOf, makeTree } from '@netyard/testkit';
import { cannotRun } from './support/engines.ts';
import { openHost, type TestHost, until } from './support/host.ts';

describe('commit', { skip: cannotRun('netyard') }, () => {
  let host: TestHost;
  before(async () => {
    host = await openHost('netyard', { images: ['netyard-test'] });
  });
  after(() => host?.close());

  test('a tree that a container has is the same in an image and its save', async () => {
    const trees = join(host.dataFolder, 'trees');
    const [original, copy] = ['original', 'copy'].map((name) => join(trees, name)) as [string, string];
    for (const folder of [trees, original, copy]) mkdirSync(folder);
    makeTree(join(original, 'top'), { seed: 3, layer: true, longestPath: 3000 });
    const pack = `tar -C ${original} --format=pax --xattrs '--xattrs-exclude=trusted.*' -cf - top`;
    await host.docker('create', '--name', 'filled', 'netyard-test', 'true');
    await host.sh(`${pack} | docker cp - filled:/`);
    await host.docker('commit', 'filled', 'tree:1');
    await host.sh('docker save tree:1 > /run/tree.tar; docker rmi tree:1; docker load -q -i /run/tree.tar');
    await host.docker('create', '--name', 'copied', 'tree:1', 'true');
    const unpack = `tar -C ${copy} --xattrs '--xattrs-include=*' --numeric-owner --warning=no-timestamp -xpf - top`;
    await host.output('bash', '-o', 'pipefail', '-c', `docker export copied | ${unpack}`);
    const timeOf = (time: bigint): bigint => (time < 0n ? 0n : time); // layers have times from 1970 on
    const options = { timeOf, skip: (path: string) => path.startsWith('hard/pipe') };
    const [actual, expected] = [copy, original].map((folder) => describeTree(join(folder, 'top'), options));
    assert.ok(actual && expected);
    assert.deepEqual(differencesOf(actual, expected), []);
  });

  test('netyard commit has the flags of docker commit', async () => {
    await host.docker('run', '-d', '--name', 'web', 'netyard-test', 'sh', '-c', 'echo page > /page; sleep 1000');
    await until(
      async () => (await host.tryDocker('exec', 'web', 'test', '-s', '/page')).status === 0,
      'the page exists',
    );
    const flags = ['-a', 'me', '-m', 'note', '-c', 'CMD ["cat", "/page"]', '-c', 'LABEL tier=web', '--pause=false'];
    const id = await host.netyard('commit', ...flags, 'web', 'team/page');
    assert.match(id, /^sha256:[0-9a-f]{64}$/);
    assert.equal(await host.docker('run', '--rm', 'team/page:latest'), 'page');
    const format = '{{.Id}} {{.Author}} {{.Comment}} {{json .Config.Labels}}';
    assert.equal(await host.docker('image', 'inspect', '-f', format, 'team/page'), `${id} me note {"tier":"web"}`);
    assert.equal((await host.tryNetyard('commit', 'web', 'team/Page')).status, 1);
    const unknown = await host.tryNetyard('commit', 'none');
    assert.deepEqual(
      [unknown.status, unknown.stderr.trim()],
      [1, 'Error response from daemon: No such container: none'],
    );
  });

  test('a layer of an image can be deleted while images that were committed from it stay', async () => {
    await host.docker('create', '--name', 'base', 'netyard-test', 'true');
    await host.docker('commit', 'base', 'first:1');
    await host.docker('create', '--name', 'next', 'first:1', 'true');
    await host.sh('echo b | docker cp /etc/hostname next:/second');
    await host.docker('commit', 'next', 'second:1');
    await host.docker('rm', 'base', 'next');
    await host.docker('rmi', 'first:1');
    assert.equal(await host.docker('image', 'inspect', '-f', '{{.Parent}}', 'second:1'), '');
    await host.docker('run', '--rm', 'second:1', 'test', '-e', '/second');
  });

  test('a daemon that dies while it commits resumes the container and keeps nothing of the image', async () => {
    await host.docker(
      'run',
      '-d',
      '--name',
      'large',
      'netyard-test',
      'sh',
      '-c',
      'cat /dev/zero | head -c 60000000 > /large; touch /ready; sleep 1000',
    );
    await until(
      async () => (await host.tryDocker('exec', 'large', 'test', '-e', '/ready')).status === 0,
      'the file exists',
    );
    const stored = (): Promise<string> =>
      host.sh(
        `cd ${host.dataFolder}; find . -path '*/blobs/sha256/*' -o -path '*/ingest/*/data' -o -path './overlay/layers/*' -prune | sort`,
      );
    const before = await stored();
    const commit = host.start(['docker', 'commit', 'large', 'large:1']);
    const ended = new Promise((resolve) => commit.once('close', resolve));
    const isPaused = async (): Promise<boolean> =>
      (await host.docker('inspect', '-f', '{{.State.Status}}', 'large')) === 'paused';
    await until(isPaused, 'the container is paused');
    await host.killDaemon();
    await ended;
    await host.restartDaemon();
    assert.equal(await host.docker('inspect', '-f', '{{.State.Status}}', 'large'), 'running');
    assert.equal(await host.docker('exec', 'large', 'echo', 'alive'), 'alive');
    await until(async () => (await stored()) === before, 'what the commit stored is deleted');
    assert.notEqual((await host.tryDocker('image', 'inspect', 'large:1')).status, 0);
    await host.docker('commit', 'large', 'large:1');
    assert.equal(await host.docker('run', '--rm', 'large:1', 'stat', '-c', '%s', '/large'), '60000000');
  });
});
