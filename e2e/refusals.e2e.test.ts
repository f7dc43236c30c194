/** Requests that would change the host or weaken a container's isolation are rejected, as by Docker and runc. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { cannotRun } from './support/engines.ts';
import { openHost, type TestHost } from './support/host.ts';

interface Expected {
  message: RegExp;
  /** The container's exit code when the start is rejected; absent when create is. */
  exit?: number;
  /** Netyard already rejects create, dockerd only the start. */
  earlier?: boolean;
}
const atCreate = (message: RegExp): Expected => ({ message });
const atStart = (message: RegExp, exit = 128): Expected => ({ message, exit });
const insideProc = atStart(/error mounting .*merged\/proc\/\S+" cannot be mounted because it is inside \/proc/);
const notProc = atStart(/error mounting .*merged\/proc" cannot be mounted because it is not of type proc/);
const noDevice = atStart(/error gathering device information while adding custom device "\/etc.*": not a device node/);
const idRange = atStart(/uids and gids must be in range 0-2147483647/);
const earlier = (message: RegExp): Expected => ({ message, exit: 128, earlier: true });
const hostIpc = earlier(/sysctl "\S+" is not allowed in the hosts ipc namespace/);
const hostNetwork = earlier(/sysctl "net\.\S+" not allowed in host network namespace/);

const cases: [options: string, expected: Expected][] = [
  ['-v /tmp:/proc/sys', insideProc],
  ['-v named:/proc/acpi', insideProc],
  ['-v /tmp:/a/../proc/fs', insideProc],
  ['-v /tmp:/to-proc/sys', insideProc],
  ['-v /tmp:/to-kernel', insideProc],
  ['-v /tmp:/proc', notProc],
  ['-v /tmp:/to-proc', notProc],
  ['-v named:/', atCreate(/invalid volume specification: 'named:\/': .*destination can't be '\/'/)],
  ['-v named:/x/..', atCreate(/destination can't be '\/'/)],
  ['--device /etc', noDevice],
  ['--device /etc/passwd', noDevice],
  ['--device /nope', atStart(/custom device "\/nope": no such file or directory/)],
  ...['ro,rw', 'ro,ro', 'z,Z', 'shared,slave', 'cached,delegated', 'default', 'bad', 'ro,'].map(
    (mode): [string, Expected] => [`-v /tmp:/b:${mode}`, atCreate(new RegExp(`invalid mode: ${mode}$`, 'm'))],
  ),
  ['-v /tmp:/b:nocopy', atCreate(/invalid mount config for type "bind": field VolumeOptions must not be specified/)],
  ['-v named:/b:rshared', atCreate(/invalid mount config for type "volume": field BindOptions must not be specified/)],
  ['-v /tmp:ro', atCreate(/invalid volume specification: '\/tmp:ro'$/m)],
  ['-v /tmp:/b -v /usr:/b/', atCreate(/Duplicate mount point: \/b/)],
  ['-v /tmp:/b --tmpfs /b', atCreate(/Duplicate mount point: \/b/)],
  ['--net host --sysctl net.core.somaxconn=128', hostNetwork],
  ['--net host --sysctl net.ipv4.ip_forward=1', hostNetwork],
  ['--net container:on-host --sysctl net.core.somaxconn=128', atStart(/not allowed in host network namespace/)],
  ['--ipc host --sysctl kernel.shmmax=1', hostIpc],
  ['--ipc host --sysctl fs.mqueue.msg_max=20', hostIpc],
  ['--cap-add CAP_ALL', atCreate(/invalid CapAdd: unknown capability: "CAP_ALL"/)],
  ['--cap-drop nope', atCreate(/invalid CapDrop: unknown capability: "CAP_NOPE"/)],
  ['-u 99999999999', idRange],
  ['-u 1:4294967296', idRange],
  ['--group-add 4294967296', idRange],
];
const accepted = [
  '-v /proc:/proc',
  '-v /etc/passwd:/proc/cpuinfo:ro',
  '-v /tmp:/b:ro,z,rprivate,cached',
  '-v named:/b:nocopy,ro',
  '-v /tmp:/procedure',
  '--sysctl net.core.somaxconn=128 --sysctl kernel.msgmax=9000',
];

for (const engine of ['netyard', 'dockerd'] as const) {
  const skip = cannotRun(engine);
  let host: TestHost;
  before(async () => {
    if (skip !== false) return;
    host = await openHost(engine, { images: ['netyard-test'] });
    const links = 'ln -s /proc /to-proc; ln -s to-proc/sys/kernel /to-kernel';
    await host.docker('run', '--name', 'base', 'netyard-test', 'sh', '-c', links);
    await host.sh('docker export base | docker import - with-links');
    await host.docker('run', '-d', '--name', 'on-host', '--net', 'host', 'netyard-test', 'sleep', '1000');
  });
  after(() => host?.close());

  test(`${engine}: requests that weaken a container's isolation are rejected`, { skip }, async () => {
    for (const [options, expected] of cases) {
      const args = ['--name', 'c1', ...options.split(' '), 'with-links', '/bin/true'];
      const created = await host.tryDocker('create', ...args);
      const { message, exit, earlier: isEarlier } = expected;
      if (exit === undefined || (isEarlier && engine === 'netyard')) {
        assert.notEqual(created.status, 0, options);
        assert.match(created.stderr, message, options);
        continue;
      }
      assert.equal(created.status, 0, `${options}: ${created.stderr}`);
      const started = await host.tryDocker('start', 'c1');
      assert.notEqual(started.status, 0, options);
      assert.match(started.stderr, message, options);
      assert.equal(await host.docker('inspect', '-f', '{{.State.ExitCode}}', 'c1'), String(exit), options);
      await host.docker('rm', 'c1');
    }
    for (const options of accepted) await host.docker('run', '--rm', ...options.split(' '), 'with-links', '/bin/true');
  });

  test(`${engine}: a container on a read-only root cannot write the network files`, { skip }, async () => {
    const line = 'for f in hosts hostname resolv.conf; do (echo >> /etc/$f) 2>/dev/null && echo $f written; done; true';
    const run = (...options: string[]): Promise<string> =>
      host.docker('run', '--rm', ...options, 'netyard-test', 'sh', '-c', line);
    assert.equal(await run('--read-only'), '');
    assert.equal(await run('--read-only', '--net', 'host'), '');
    assert.equal(await run('--read-only', '--net', 'none'), '');
    assert.equal(await run(), 'hosts written\nhostname written\nresolv.conf written');
    await host.sh(`echo > /tmp/own-hosts-${engine}`);
    assert.equal(await run('--read-only', '-v', `/tmp/own-hosts-${engine}:/etc/hosts`), 'hosts written');
    await host.sh(`rm /tmp/own-hosts-${engine}`);
  });

  test(`${engine}: --sysctl sets net.* in the joined network namespace`, { skip }, async () => {
    await host.docker('run', '-d', '--name', 'sharer', 'netyard-test', 'sleep', '1000');
    const args = ['--net', 'container:sharer', '--sysctl', 'net.ipv4.tcp_fin_timeout=33', 'netyard-test'];
    assert.equal(await host.docker('run', '--rm', ...args, 'cat', '/proc/sys/net/ipv4/tcp_fin_timeout'), '33');
    await host.docker('rm', '-f', 'sharer');
  });
}
