/** Destinations that lead through symbolic links of the image or of another volume, on Netyard and on dockerd. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { cannotRun, type EngineName } from './support/engines.ts';
import { openHost, type TestHost } from './support/host.ts';

const engines: EngineName[] = ['netyard', 'dockerd'];
const missing = engines.map(cannotRun).find((reason) => reason !== false) ?? false;

const links = {
  '/broken': '/nowhere',
  '/deep': '/made/by/start',
  '/chain': 'chain2',
  '/chain2': '/chain3/in',
  '/chain3': '/x/y',
  '/srv/relative': '../var/relative',
  '/dots': '/q/../r/./s',
  '/file': '/etc/passwd',
  '/loop': 'loop',
  '/indev': '/dev/shm/x',
  '/inproc': '/proc/foo',
  '/insys': '/sys/foo',
};

/** Options, and the last mount's path in the container; undefined: the start fails. */
const cases: [options: string, target: string | undefined][] = [
  ['-v v1:/broken', '/nowhere'],
  ['-v v2:/deep', '/made/by/start'],
  ['-v v3:/chain', '/x/y/in'],
  ['-v v4:/srv/relative', '/var/relative'],
  ['-v v5:/dots', '/r/s'],
  ['-v v6:/broken/x/y', '/nowhere/x/y'],
  ['-v v7:/broken -v v8:/broken/sub', '/nowhere/sub'],
  ['-v shared:/shared -v v9:/shared/link', '/elsewhere/e'],
  ['-v shared:/shared -v v10:/shared/up', '/up'],
  ['--tmpfs /broken', '/nowhere'],
  ['-v /run/made:/deep', '/made/by/start'],
  ['-v /etc/hostname:/broken', '/nowhere'],
  ['-v v11:/indev', '/dev/shm/x'],
  ['--read-only -v v12:/broken', '/nowhere'],
  ['-v v13:/file', undefined],
  ['-v v14:/file/sub', undefined],
  ['-v v15:/loop', undefined],
  ['-v /tmp:/loop/sub', undefined],
  ['-v v16:/inproc', undefined],
  ['-v v17:/insys', undefined],
];

describe('mounts over links', { skip: missing }, () => {
  const hosts: TestHost[] = [];
  before(async () => {
    hosts.push(...(await Promise.all(engines.map((engine) => openHost(engine, { images: ['netyard-test'] })))));
    const make = Object.entries(links).map(([link, target]) => `ln -s ${target} ${link}`);
    await Promise.all(
      hosts.map(async (host) => {
        await host.docker('run', '--name', 'base', 'netyard-test', 'sh', '-c', make.join(' && '));
        await host.sh('docker export base | docker import - links:1');
        const fill = 'ln -s /elsewhere/e /s/link && ln -s ../../up /s/up';
        await host.docker('run', '--rm', '-v', 'shared:/s', 'netyard-test', 'sh', '-c', fill);
      }),
    );
  });
  after(async () => {
    for (const host of hosts) await host.close();
  });

  for (const [options, target] of cases)
    test(`${options}: ${target === undefined ? 'the start fails' : `mounted at ${target}`}`, async () => {
      const mounted = `awk '$5 == "${target}"' /proc/self/mountinfo | grep -c .`;
      const each = hosts.map(async (host) => {
        const run = await host.tryDocker('run', '--rm', ...options.split(' '), 'links:1', 'sh', '-c', mounted);
        const expected = target === undefined ? { status: 125, stdout: '' } : { status: 0, stdout: '1\n' };
        assert.deepEqual({ status: run.status, stdout: run.stdout }, expected, `${host.engine}: ${run.stderr}`);
      });
      await Promise.all(each);
    });

  test('cp, inspect and restart work with a mount over a link; create rejects a loop', async () => {
    for (const host of hosts) {
      await host.docker('create', '--name', 'again', '-v', 'again:/deep', 'links:1', 'cat', '/made/by/start/text');
      await host.sh('echo copied > /run/text && docker cp /run/text again:/deep/text');
      for (let round = 0; round < 2; round += 1)
        assert.equal(await host.docker('start', '-a', 'again'), 'copied', host.engine);
      const target = await host.docker('inspect', '-f', '{{(index .Mounts 0).Destination}}', 'again');
      assert.equal(target, '/deep', host.engine);
      assert.equal((await host.tryDocker('create', '-v', 'loop:/loop', 'links:1', 'true')).status, 1, host.engine);
    }
  });

  test('a working directory is created where a dangling link leads', async () => {
    for (const host of hosts)
      assert.equal(await host.docker('run', '--rm', '-w', '/deep/w', 'links:1', 'pwd'), '/made/by/start/w');
  });
});
