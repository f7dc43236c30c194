import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { isNetyardError, silentLogger } from '@netyard/core';
import { inFreshHost } from '@netyard/testkit';
import { connectContainerd, openRuntime, superviseContainerd } from '../src/index.ts';
import { openTaskHost, searchPath, type TaskHost } from './task-host.ts';

const host = inFreshHost(import.meta.url, { cgroups: true });
let testbed: TaskHost;
before(async () => {
  testbed = await openTaskHost();
});
after(() => testbed.close());

const until = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await pause(5);
};

test('containers survive a kill of containerd, which is restarted, and missed exits are found', host, async () => {
  const running = testbed.spec(['sh', '-c', 'while :; do echo tick; sleep 0.02; done']);
  const ending = testbed.spec(['sh', '-c', 'while [ ! -e /tmp/end ]; do sleep 0.02; done; exit 6']);
  for (const spec of [running, ending]) {
    await testbed.runtime.create(spec);
    await testbed.runtime.start(spec.id);
  }
  const { pid } = (await testbed.runtime.get(ending.id)) ?? { pid: 0 };
  const killed = testbed.supervisor.pid();
  process.kill(killed, 'SIGKILL');
  writeFileSync(join(testbed.rootfs, 'tmp/end'), '');
  await until(() => isGone(pid));
  const written = testbed.output(running.id).length;
  await until(() => testbed.output(running.id).length > written);

  await until(() => testbed.events.some((event) => event.type === 'resync'));
  assert.notEqual(testbed.supervisor.pid(), killed);
  const tasks = new Map((await testbed.runtime.list()).map((task) => [task.id, task]));
  assert.equal(tasks.get(running.id)?.status, 'running');
  assert.deepEqual([tasks.get(ending.id)?.status, tasks.get(ending.id)?.exit?.exitCode], ['stopped', 6]);
  await testbed.runtime.kill(running.id, 9);
  assert.equal((await testbed.exited(running.id)).exitCode, 137);
  assert.equal((await testbed.runtime.delete(ending.id))?.exitCode, 6);
  await testbed.runtime.delete(running.id);
});

test('calls made while containerd is down wait for it', host, async () => {
  const spec = testbed.spec(['sh', '-c', 'exit 4']);
  process.kill(testbed.supervisor.pid(), 'SIGKILL');
  await until(() => isGone(testbed.supervisor.pid()));
  await testbed.runtime.create(spec);
  await testbed.runtime.start(spec.id);
  const end = async (): Promise<number | undefined> => (await testbed.runtime.get(spec.id))?.exit?.exitCode;
  while ((await end()) === undefined) await pause(10);
  assert.equal((await testbed.runtime.delete(spec.id))?.exitCode, 4);
});

test('a restarted daemon finds its containerd and the running tasks, and starts no second one', host, async () => {
  const spec = testbed.spec(['sleep', '1000']);
  await testbed.runtime.create(spec);
  await testbed.runtime.start(spec.id);
  const pid = testbed.supervisor.pid();
  const again = await testbed.superviseAgain();
  try {
    assert.equal(again.pid(), pid);
    const client = connectContainerd({ socket: again.socket, namespace: 'test' });
    const runtime = await openRuntime({
      client,
      runtimeName: '',
      runtimeRoot: join(testbed.folder, 'oci'),
      searchPath,
      logger: silentLogger,
    });
    assert.deepEqual(
      (await runtime.list()).map(({ id, status }) => ({ id, status })),
      [{ id: spec.id, status: 'running' }],
    );
    assert.equal((await runtime.delete(spec.id))?.exitCode, 137);
    await runtime.close();
    client.close();
  } finally {
    await again.detach();
  }
  assert.ok(!isGone(pid));
});

test('another namespace of the same containerd does not see our objects', host, async () => {
  const spec = testbed.spec(['sleep', '1000']);
  await testbed.runtime.create(spec);
  const client = connectContainerd({ socket: testbed.supervisor.socket, namespace: 'other' });
  assert.deepEqual((await client.tasks.list({})).tasks, []);
  client.close();
  await testbed.runtime.delete(spec.id);
});

test('a containerd that does not start is reported with the end of its log', host, async () => {
  const folder = join(testbed.folder, 'broken');
  const supervise = (executable: string): Promise<unknown> =>
    superviseContainerd({
      executable,
      root: folder,
      state: folder,
      socket: join(folder, 'socket'),
      logger: silentLogger,
      env: { PATH: searchPath },
    });
  await assert.rejects(
    supervise('no-such-containerd'),
    (error) => isNetyardError(error, 'unavailable') && /ENOENT/.test(error.message),
  );
  await assert.rejects(supervise('/usr/bin/busybox'), (error) => isNetyardError(error, 'unavailable'));
});

function isGone(pid: number): boolean {
  try {
    return /^State:\s*[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return true;
  }
}
