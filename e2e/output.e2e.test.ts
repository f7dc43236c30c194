/** Containers that write faster than clients read: buffers are bounded, no line is lost, and other clients do not wait. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { apiSocket, call } from './support/api.ts';
import { cannotRun } from './support/engines.ts';
import { openHost, type TestHost, until } from './support/host.ts';

const mebibyte = 1024 * 1024;
/** Limit of the unread output of each container, in memory and in files in memory. */
const bound = 16 * mebibyte;
/** The shell of `netyard-test` prints about ten thousand lines per second. */
const counted = 40_000;
const rotation = ['--log-opt', 'max-size=4m', '--log-opt', 'max-file=2'];
const flood = ['netyard-test', 'yes', 'a'.repeat(62)];

describe('container output', { skip: cannotRun('netyard') }, () => {
  let host: TestHost;
  before(async () => {
    host = await openHost('netyard', { images: ['netyard-test'] });
  });
  after(() => host.close());

  const daemonPid = async (): Promise<string> =>
    (await host.sh("ss -xlpH src /run/netyard/netyard.sock | sed -nE 's/.*pid=([0-9]+).*/\\1/p' | head -n 1")).trim();

  const unreadBytes = async (): Promise<number> =>
    Number(await host.sh('du -s --block-size=1 /run/netyard/containers | cut -f 1'));

  const daemonMemory = async (): Promise<number> =>
    1024 * Number(await host.sh(`sed -nE 's/^VmRSS:[^0-9]*([0-9]+) kB/\\1/p' /proc/${await daemonPid()}/status`));

  const logSize = async (name: string): Promise<number> => {
    const path = await host.docker('inspect', '-f', '{{.LogPath}}', name);
    return Number(await host.sh(`stat -c %s ${path}`));
  };

  const assertCounted = async (name: string): Promise<void> => {
    const lines = (await host.docker('logs', name)).split('\n');
    assert.equal(lines.length, counted);
    assert.equal(
      lines.findIndex((line, index) => line !== String(index)),
      -1,
    );
  };

  test('a container inherits no descriptors from its shim', async () => {
    for (const runtime of ['crun', 'runc']) {
      // 3 is the folder that ls opened.
      const listing = ['run', '--rm', '--runtime', runtime, 'netyard-test', 'ls', '/proc/self/fd'];
      assert.equal((await host.docker(...listing)).replaceAll(/\s+/g, ' '), '0 1 2 3', runtime);
    }
  });

  test('unread output stays within its limit, with and without a running daemon', async () => {
    await host.docker('run', '-d', '--name', 'flood', ...rotation, ...flood);
    await pause(500);
    const memory = await daemonMemory();
    for (let sample = 0; sample < 5; sample += 1) {
      await pause(200);
      assert.ok((await unreadBytes()) < bound);
    }
    assert.ok((await daemonMemory()) - memory < 64 * mebibyte, 'the daemon does not grow with the output');
    await host.killDaemon();
    const isBlocked = async (): Promise<boolean> => {
      const before = await unreadBytes();
      await pause(1000);
      return (await unreadBytes()) === before;
    };
    await until(isBlocked, 'the writer blocks');
    assert.ok((await unreadBytes()) < bound);
    await host.restartDaemon();
    const before = await logSize('flood');
    await until(async () => (await logSize('flood')) !== before, 'the log continues');
  });

  test('requests are answered while a container floods its output, and it can be removed', async () => {
    for (let count = 0; count < 30; count += 1) assert.equal((await call(host, 'GET', '/version')).status, 200);
    await host.docker('run', '--rm', 'netyard-test', 'true');
    await host.docker('rm', '-f', 'flood');
    assert.equal(await host.sh('ls /run/netyard/containers'), '');
  });

  test('a daemon killed during a flood neither loses nor duplicates a line', async () => {
    const script = `i=0; while [ $i -lt ${counted} ]; do echo $i; i=$((i+1)); done`;
    await host.docker('run', '-d', '--name', 'counter', 'netyard-test', 'sh', '-c', script);
    for (let round = 0; round < 3; round += 1) {
      await host.killDaemon();
      await host.restartDaemon();
    }
    await host.docker('wait', 'counter');
    await assertCounted('counter');
  });

  test('the last output of a container that ended without a daemon is logged, also without a newline', async () => {
    const script = 'sleep 2; seq 1 15000; printf end';
    await host.docker('run', '-d', '--name', 'offline', 'netyard-test', 'sh', '-c', script);
    const pid = await host.docker('inspect', '-f', '{{.State.Pid}}', 'offline');
    await host.killDaemon();
    await until(async () => (await host.run(['test', '-e', `/proc/${pid}`])).status !== 0, 'the container has ended');
    await host.restartDaemon();
    await host.docker('wait', 'offline');
    const lines = (await host.docker('logs', 'offline')).split('\n');
    assert.deepEqual([lines.length, lines[0], lines[14_999], lines[15_000]], [15_001, '1', '15000', 'end']);
  });

  test('an attached client that does not read blocks the container until it disconnects', async () => {
    await host.docker('run', '-d', '--name', 'blocked', ...rotation, ...flood);
    const client = connect({ path: apiSocket(host) });
    client.pause();
    client.write(
      'POST /containers/blocked/attach?stream=1&stdout=1 HTTP/1.1\r\nHost: x\r\nUpgrade: tcp\r\nConnection: Upgrade\r\n\r\n',
    );
    const isBlocked = async (): Promise<boolean> => {
      const position = (): Promise<string> => host.sh('od -A n -t u8 /run/netyard/containers/*/position');
      const before = await position();
      await pause(300);
      return (await position()) === before;
    };
    await until(isBlocked, 'the container blocks');
    assert.ok((await unreadBytes()) < bound);
    client.destroy();
    await until(async () => !(await isBlocked()), 'the container continues');
  });

  test('a slow reader of the log delays no other reader, and its files are closed when it disconnects', async () => {
    const openLogs = async (): Promise<number> =>
      Number(
        await host.sh(`readlink /proc/${await daemonPid()}/fd/* | awk '/json.log/ { n += 1 } END { print n + 0 }'`),
      );
    const before = await openLogs();
    const clients = Array.from({ length: 10 }, () => {
      const client = connect({ path: apiSocket(host) });
      client.pause();
      client.write('GET /containers/blocked/logs?stdout=1&follow=1 HTTP/1.1\r\nHost: x\r\n\r\n');
      return client;
    });
    await until(async () => (await openLogs()) >= before + 10, 'ten follow the log');
    const size = await logSize('blocked');
    await until(async () => (await logSize('blocked')) !== size, 'the log continues');
    for (const client of clients) client.destroy();
    await until(async () => (await openLogs()) <= before + 1, 'their files are closed');
    await host.docker('stop', '-t', '0', 'blocked');
    await host.removeContainers();
  });
});
