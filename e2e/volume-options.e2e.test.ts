/** Volumes with options of the local driver on Netyard and on dockerd: rejections, mounts, use counts and removal. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { cannotRun, type EngineName } from './support/engines.ts';
import { openHost, type TestHost } from './support/host.ts';

const engines: EngineName[] = ['netyard', 'dockerd'];
const missing = engines.map(cannotRun).find((reason) => reason !== false) ?? false;

const tmpfs = ['-o', 'type=tmpfs', '-o', 'device=tmpfs', '-o', 'o=size=10m,uid=1000'];
const mountpoint = (host: TestHost, name: string): Promise<string> =>
  host.docker('volume', 'inspect', '-f', '{{.Mountpoint}}', name);
/** Number of the host's mounts of a volume. */
const mounted = async (host: TestHost, name: string): Promise<number> =>
  Number(await host.sh(`grep -c ' ${await mountpoint(host, name)} ' /proc/self/mountinfo || true`));
/** Normalizes a message: folder and surrounding text differ by engine. */
const normalize = (text: string): string =>
  text
    .replace(/^docker: /, '')
    .replaceAll(/\/[\w/.-]*\/volumes\//g, 'VOLUMES/')
    .replaceAll(/\.\nSee 'docker run --help'\./g, '')
    .replaceAll(/^time=.* msg="error waiting for container.*\n?/gm, '')
    .replace(/^docker: /, '')
    .trim();

describe('volumes with options', { skip: missing }, () => {
  const hosts = new Map<EngineName, TestHost>();
  const same = async <T>(scenario: (host: TestHost) => Promise<T>): Promise<T> => {
    const results = await Promise.all([...hosts.values()].map(scenario));
    assert.deepEqual(results[0], results[1]);
    return results[0] as T;
  };
  before(async () => {
    for (const engine of engines) hosts.set(engine, await openHost(engine, { images: ['netyard-test'] }));
  });
  after(async () => {
    for (const host of hosts.values()) await host.close();
  });

  test('create rejects the same options', async () => {
    const invalid = [
      ['-o', 'type=tmpfs'],
      ['-o', 'device=tmpfs'],
      ['-o', 'o=size=1m'],
      ['-o', 'other=1'],
      [...tmpfs, '-o', 'size=1m'],
      ['-o', 'size=much'],
    ];
    for (const options of invalid)
      await same(async (host) => {
        const { status, stderr } = await host.tryDocker('volume', 'create', ...options, 'invalid');
        assert.equal(status, 1, options.join(' '));
        return stderr;
      });
  });

  test('network file systems are mounted at the start, with the same errors', async () => {
    // No server runs here: the kernel's own errors show that the options reach mount(2).
    const volumes: Record<string, string[]> = {
      byaddress: ['-o', 'type=nfs', '-o', 'device=:/export', '-o', 'o=addr=127.0.0.1,ro,nolock,soft,vers=4'],
      byname: ['-o', 'type=nfs', '-o', 'device=:/export', '-o', 'o=addr=localhost,vers=4'],
      nodevice: ['-o', 'type=nfs', '-o', 'device=', '-o', 'o=addr=127.0.0.1'],
    };
    for (const [name, options] of Object.entries(volumes)) {
      const message = await same(async (host) => {
        await host.docker('volume', 'create', ...options, name);
        const { status, stderr } = await host.tryDocker('run', '--rm', '-v', `${name}:/data`, 'netyard-test', 'true');
        assert.notEqual(status, 0, stderr);
        assert.equal(await mounted(host, name), 0);
        await host.docker('volume', 'rm', name);
        return normalize(stderr);
      });
      if (name === 'byname') assert.match(message, /addr=127\.0\.0\.1/);
    }
    // dockerd 20.10 resolves no names in devices and shows passwords; that of Docker 28 does as Netyard.
    const ours = hosts.get('netyard');
    assert.ok(ours);
    const windows = ['-o', 'type=cifs', '-o', 'device=//localhost/share', '-o', 'o=username=u,password=secret'];
    await ours.docker('volume', 'create', ...windows, 'windows');
    const { stderr: failed } = await ours.tryDocker('run', '--rm', '-v', 'windows:/data', 'netyard-test', 'true');
    assert.match(failed, /mount \/\/127\.0\.0\.1\/share:.*data: username=u,password=\*+: no such device/);
    await ours.docker('volume', 'rm', 'windows');
    const unknown = ['-o', 'type=nfs', '-o', 'device=:/export', '-o', 'o=addr=no-such-host.invalid'];
    for (const host of hosts.values()) {
      await host.docker('volume', 'create', ...unknown, 'unknown');
      const { stderr } = await host.tryDocker('run', '--rm', '-v', 'unknown:/data', 'netyard-test', 'true');
      assert.match(stderr, /error resolving passed in network volume address: lookup no-such-host\.invalid/);
      await host.docker('volume', 'rm', 'unknown');
    }
  });

  test('a tmpfs volume is mounted while containers run, visible to cp before, and empty after the last one', async () => {
    const seen = await same(async (host) => {
      await host.docker('volume', 'create', ...tmpfs, 'memory');
      const use = ['-v', 'memory:/data', 'netyard-test'];
      await host.docker('create', '--name', 'first', ...use, 'sh', '-c', 'echo kept > /data/file; sleep 1000');
      const steps = [await mounted(host, 'memory')];
      const owner = await host.sh('docker cp first:/data - | tar -tvn --numeric-owner');
      steps.push(await mounted(host, 'memory'));
      await host.docker('start', 'first');
      await host.docker('run', '-d', '--name', 'second', ...use, 'sleep', '1000');
      await host.docker('exec', 'second', 'sh', '-c', 'until [ -s /data/file ]; do sleep 0.05; done');
      const size = await host.docker('exec', 'second', 'sh', '-c', "df -k /data | tail -1 | awk '{print $2}'");
      await host.docker('stop', '-t', '0', 'first');
      const file = await host.docker('exec', 'second', 'cat', '/data/file');
      steps.push(await mounted(host, 'memory'));
      await host.docker('rm', '-f', 'second');
      steps.push(await mounted(host, 'memory'));
      const files = await host.docker('run', '--rm', ...use, 'ls', '/data');
      await host.docker('rm', 'first');
      await host.docker('volume', 'rm', 'memory');
      return { steps, owner: owner.includes('1000/0'), size, file, files };
    });
    assert.deepEqual(seen, { steps: [0, 0, 1, 0], owner: true, size: '10240', file: 'kept', files: '' });
  });

  test('a bind volume shows its folder, may be read-only, and its removal keeps the folder', async () => {
    const seen = await same(async (host) => {
      await host.sh('mkdir -p /run/shared && echo mine > /run/shared/file');
      const bind = ['-o', 'type=none', '-o', 'device=/run/shared'];
      await host.docker('volume', 'create', ...bind, '-o', 'o=bind', 'folder');
      await host.docker('volume', 'create', ...bind, '-o', 'o=bind,ro', 'fixed');
      await host.docker('run', '--rm', '-v', 'folder:/data', 'netyard-test', 'sh', '-c', 'echo new > /data/new');
      await host.docker('run', '-d', '--name', 'reader', '-v', 'fixed:/data', 'netyard-test', 'sleep', '1000');
      const line = await host.sh(`grep ' ${await mountpoint(host, 'fixed')} ' /proc/self/mountinfo`);
      await host.docker('rm', '-f', 'reader');
      await host.docker('volume', 'rm', 'folder', 'fixed');
      return { files: await host.sh('cat /run/shared/*'), readOnly: /^ro\b/.test(line.split(' ')[5] ?? '') };
    });
    assert.deepEqual(seen, { files: 'mine\nnew\n', readOnly: true });
  });

  test('a volume on a link of the image is mounted on the link’s target and filled from it', async () => {
    const seen = await same(async (host) => {
      const links = 'mkdir /real; echo content > /real/file; ln -s real /link; ln -s /link /twice';
      await host.docker('run', '--name', 'links', 'netyard-test', 'sh', '-c', links);
      await host.sh('docker export links | docker import - links:1');
      const script = 'grep -c "^[^ ]* [^ ]* [^ ]* [^ ]* $1 " /proc/self/mountinfo; cat $1/file';
      const run = async (volume: string, link: string, real: string): Promise<string> => {
        const use = ['-v', `${volume}:${link}`, 'links:1', '/bin/sh', '-c', script, 'sh', real];
        const { status, stdout } = await host.tryDocker('run', '--rm', ...use);
        return `${status} ${stdout}`;
      };
      const results = [await run('through', '/link', '/real'), await run('twice', '/twice', '/real')];
      await host.docker('rm', 'links');
      return results;
    });
    assert.deepEqual(seen, ['0 1\ncontent\n', '0 1\ncontent\n']);
  });

  test('a start with an invalid file system fails and leaves nothing behind', async () => {
    const invalid = [
      ['-o', 'type=none', '-o', 'device=/nowhere', '-o', 'o=bind'],
      ['-o', 'type=tmpfs', '-o', 'device=tmpfs', '-o', 'o=nodev,unknown=1'],
      ['-o', 'type=notafilesystem', '-o', 'device=/dev/null', '-o', 'o=user=me'],
      ['-o', 'type=tmpfs', '-o', 'device='],
    ];
    for (const options of invalid)
      await same(async (host) => {
        await host.docker('volume', 'create', ...options, 'invalid');
        const run = await host.tryDocker('run', '--name', 'failed', '-v', 'invalid:/data', 'netyard-test', 'true');
        const state = await host.docker('inspect', '-f', '{{.State.Status}} {{.State.ExitCode}}', 'failed');
        await host.docker('rm', 'failed');
        await host.docker('volume', 'rm', 'invalid');
        return { status: run.status, text: normalize(run.stderr), state };
      });
  });

  test('a restarted daemon keeps mounted volumes, and unmounts them after the last container', async (t) => {
    const host = hosts.get('netyard');
    if (!host) return t.skip();
    await host.docker('volume', 'create', ...tmpfs, 'memory');
    await host.docker('run', '-d', '--name', 'user', '-v', 'memory:/data', 'netyard-test', 'sleep', '1000');
    await host.docker('exec', 'user', 'sh', '-c', 'echo kept > /data/file');
    const rejected = await host.tryDocker('volume', 'rm', 'memory');
    assert.match(rejected.stderr, /volume is in use/);
    await host.killDaemon();
    await host.restartDaemon();
    assert.equal(await mounted(host, 'memory'), 1);
    assert.equal(await host.docker('exec', 'user', 'cat', '/data/file'), 'kept');
    await host.docker('rm', '-f', 'user');
    assert.equal(await mounted(host, 'memory'), 0);
    await host.docker('volume', 'rm', 'memory');
  });

  test('a volume with a foreign mount below it is not removed', async (t) => {
    const host = hosts.get('netyard');
    if (!host) return t.skip();
    await host.docker('volume', 'create', 'plain');
    const folder = await mountpoint(host, 'plain');
    await host.sh(`mkdir -p ${folder}/in /run/other && touch /run/other/file && mount --bind /run/other ${folder}/in`);
    const rejected = await host.tryDocker('volume', 'rm', 'plain');
    assert.match(rejected.stderr, /remove plain: a file system is mounted on/);
    await host.sh(`test -e /run/other/file && umount ${folder}/in`);
    await host.docker('volume', 'rm', 'plain');
  });

  test('a read-only bind is not writable with a runtime that does not know recursive read-only mounts', async (t) => {
    const host = hosts.get('netyard');
    if (!host) return t.skip();
    // As of runc 1.0, which ignores the option `rro`: the bundle's configuration loses it.
    const old = [
      '#!/bin/sh',
      'for word; do [ "$before" != --bundle ] || sed -i "s/\\"rro\\",*//" "$word/config.json"; before=$word; done',
      'exec runc "$@"',
    ].join('\n');
    await host.sh(`cat > /run/old-runtime <<'END'\n${old}\nEND\nchmod 755 /run/old-runtime`);
    await host.sh('mkdir -p /run/outer/below && mount -t tmpfs none /run/outer/below');
    const script = 'for path in /x /x/below; do touch $path/file 2> /dev/null && echo writable || echo read-only; done';
    const access = (runtime: string): Promise<string> =>
      host.docker('run', '--rm', '--runtime', runtime, '-v', '/run/outer:/x:ro', 'netyard-test', 'sh', '-c', script);
    const seen = [await access('crun'), await access('runc'), await access('/run/old-runtime')];
    await host.sh('umount /run/outer/below');
    assert.deepEqual(seen, ['read-only\nread-only', 'read-only\nread-only', 'read-only\nwritable']);
  });
});
