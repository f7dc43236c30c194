/** A full or read-only data root, and a deleted run-time folder: containers can be stopped and removed, and none is lost. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { cannotRun } from './support/engines.ts';
import { openHost, type TestHost, until } from './support/host.ts';
import { archivePath } from './support/images.ts';

const data = '/small/data';
const fillLine =
  'dd if=/dev/zero of=/small/fill bs=64k 2>/dev/null; dd if=/dev/zero of=/small/fill2 bs=512 2>/dev/null; true';
const freeLine = 'rm -f /small/fill /small/fill2';
const run = ['run', '-d', 'netyard-test', 'sleep', '10000'] as const;

describe('a data root that cannot be written', { skip: cannotRun('netyard') }, () => {
  let host: TestHost;
  const start = async (root = data): Promise<string> =>
    (
      await host.sh(`netyard daemon --data-root ${root} --pidfile /run/small.pid >/run/small.log 2>&1 & pid=$!
        for _ in $(seq 600); do docker version >/dev/null 2>&1 && { echo ready; exit; }; kill -0 $pid || break; sleep 0.1; done
        cat /run/small.log`)
    ).trim();
  const stopDaemon = (signal: string): Promise<string> =>
    host.sh(`p=$(cat /run/small.pid); kill -${signal} $p; while kill -0 $p 2>/dev/null; do sleep 0.05; done`);
  const runNamed = (name: string): Promise<string> => host.docker('run', '-d', '--name', name, ...run.slice(2));
  const status = (name: string): Promise<string> => host.docker('inspect', '-f', '{{.State.Status}}', name);

  before(async () => {
    host = await openHost('netyard', { daemon: false });
    await host.sh('mkdir -p /small && mount -t tmpfs -o size=64m none /small');
    assert.equal(await start(), 'ready');
    await host.sh(`docker load -qi ${archivePath('netyard-test')}`);
  });
  after(async () => {
    await host.run([
      'sh',
      '-c',
      `${freeLine}; docker rm -f $(docker ps -aq); kill $(cat /run/small.pid); sleep 1; umount -l /small`,
    ]);
    await host.close();
  });

  test('stop, kill, rm, rm -f, rename and prune work on a full disk', async () => {
    for (const name of ['c-a', 'c-b', 'c-c', 'c-d', 'c-e']) await runNamed(name);
    await host.docker('stop', '-t', '0', 'c-d');
    await host.docker('volume', 'create', 'vol');
    await host.sh(fillLine);
    await host.docker('stop', '-t', '0', 'c-a');
    await host.docker('kill', 'c-b');
    await host.docker('rename', 'c-c', 'renamed');
    await host.docker('rm', 'c-a');
    await host.docker('rm', '-f', 'renamed');
    await host.docker('container', 'prune', '-f');
    await host.docker('volume', 'rm', 'vol');
    assert.equal(await host.docker('ps', '-a', '--format', '{{.Names}}'), 'c-e');
    assert.equal(await host.docker('exec', 'c-e', 'echo', 'on'), 'on');
    await host.sh(freeLine);
    await host.docker('rm', '-f', await host.docker(...run));
  });

  test('a container that fills the disk can be removed, and others continue', async () => {
    const filler = await host.docker(
      'run',
      '-d',
      'netyard-test',
      'sh',
      '-c',
      'while :; do dd if=/dev/zero of=/big bs=64k; dd if=/dev/zero of=/big2 bs=512; done',
    );
    await until(async () => (await host.sh('df --output=avail /small | tail -n 1')).trim() === '0', 'the disk is full');
    assert.equal(await host.docker('exec', 'c-e', 'echo', 'on'), 'on');
    await host.docker('rm', '-f', filler);
    await until(async () => (await host.sh('df --output=avail /small | tail -n 1')).trim() !== '0', 'there is room');
  });

  test('output of a container on a full disk is logged once there is free space', async () => {
    await runNamed('talker');
    const print = (line: string): Promise<string> =>
      host.docker('exec', 'talker', 'sh', '-c', `${line} > /proc/1/fd/1`);
    const failures = (): Promise<string> => host.sh("grep -c 'writing a container log failed' /run/small.log || true");
    await print('echo before');
    await until(async () => (await host.docker('logs', 'talker')) === 'before', 'it is logged');
    const failed = Number(await failures());
    await host.sh(fillLine);
    await print('echo $(seq 20000)'); // more than fits into the file's last block
    await until(async () => Number(await failures()) > failed, 'the log cannot be written');
    await print('echo during');
    await host.sh(freeLine);
    await print('echo after');
    const numbers = Array.from({ length: 20_000 }, (_, index) => index + 1).join(' ');
    const expected = ['before', numbers, 'during', 'after'].join('\n');
    await until(async () => (await host.docker('logs', 'talker')) === expected, 'all is logged, once and in order');
    await host.docker('rm', '-f', 'talker');
  });

  for (const signal of ['TERM', '9']) {
    test(`after kill -${signal} the daemon starts on a full disk`, async () => {
      await host.sh(fillLine);
      await stopDaemon(signal);
      await host.sh(fillLine); // also the space that the stop released
      assert.equal(await start(), 'ready');
      assert.equal(await status('c-e'), 'running');
      await host.docker('stop', '-t', '0', 'c-e');
      await host.sh(freeLine);
      await host.docker('start', 'c-e');
    });
  }

  test('the daemon rejects a read-only data root and loses nothing', async () => {
    await stopDaemon('TERM');
    await host.sh('mkdir -p /ro && mount --bind /small /ro && mount -o remount,ro,bind /ro');
    assert.match(await start('/ro/data'), /failed to start daemon: .*(read-only|readonly|EROFS)/i);
    await host.sh('umount /ro');
    assert.equal(await start(), 'ready');
    assert.equal(await status('c-e'), 'running');
  });

  test('containers exist and start after the run-time folder is deleted, as by a reboot', async () => {
    await host.docker('run', '-d', '--name', 'always', '--restart', 'always', ...run.slice(2));
    await stopDaemon('9');
    // The lab host has its own pid namespace, so pgrep finds only its processes.
    await host.run([
      'sh',
      '-c',
      `kill -9 $(pgrep -x containerd) $(pgrep -f '^[^ ]*containerd-shim') $(pgrep -f '^sleep 10000')
       while pgrep -x containerd || pgrep -f '^[^ ]*containerd-shim' || pgrep -f '^sleep 10000'; do sleep 0.05; done
       umount -l ${data}/overlay/containers/*/merged; rm -rf /run/netyard/*`,
    ]);
    assert.equal(await start(), 'ready');
    await until(async () => (await status('always')) === 'running', 'the restart policy starts it');
    assert.equal(await status('c-e'), 'exited');
    await host.docker('start', 'c-e');
    assert.equal(await host.docker('exec', 'c-e', 'echo', 'on'), 'on');
  });
});
