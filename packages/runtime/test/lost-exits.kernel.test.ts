/** Ends of containers that containerd does not report. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { inFreshHost } from '@netyard/testkit';
import { findShims } from '../src/containerd/process.ts';
import { openTaskHost, type TaskHost } from './task-host.ts';

const host = inFreshHost(import.meta.url, { cgroups: true });
let testbed: TaskHost;
before(async () => {
  testbed = await openTaskHost('', { everyMs: 20, askAfterMs: 20, killAfterMs: 200 });
});
after(() => testbed.close());

const shimOf = (id: string): number => findShims(id, testbed.supervisor.socket)[0]?.pid ?? 0;

test('a container that ends while its shim is stuck has ended, with its code, and can be removed', host, async () => {
  const spec = testbed.spec(['sh', '-c', 'trap "exit 9" TERM; echo ready; while :; do sleep 0.05; done']);
  const { pid } = await testbed.runtime.create(spec);
  await testbed.runtime.start(spec.id);
  while (testbed.output(spec.id) === '') await pause(10);
  const shim = shimOf(spec.id);
  assert.ok(shim > 0);
  process.kill(shim, 'SIGSTOP');
  process.kill(pid, 'SIGTERM');
  assert.equal((await testbed.exited(spec.id)).exitCode, 9);
  await testbed.runtime.delete(spec.id);
  assert.equal(await testbed.runtime.get(spec.id), undefined);
  while (shimOf(spec.id) !== 0) await pause(10);
});

test('a stopped shim whose container runs is left alone', host, async () => {
  const spec = testbed.spec(['sleep', '1000']);
  const { pid } = await testbed.runtime.create(spec);
  await testbed.runtime.start(spec.id);
  const shim = shimOf(spec.id);
  process.kill(shim, 'SIGSTOP');
  const other = testbed.spec(['sleep', '0.5']); // longer than the times above
  await testbed.runtime.create(other);
  await testbed.runtime.start(other.id);
  await testbed.exited(other.id);
  process.kill(shim, 'SIGCONT');
  assert.equal((await testbed.runtime.get(spec.id))?.status, 'running');
  assert.equal((await testbed.runtime.get(spec.id))?.pid, pid);
  for (const { id } of [spec, other]) await testbed.runtime.delete(id);
});

test(
  'an exec process that ends while the shim is stuck has ended, with its code; the container runs',
  host,
  async () => {
    const spec = testbed.spec(['sleep', '1000']);
    const { pid: containerPid } = await testbed.runtime.create(spec);
    await testbed.runtime.start(spec.id);
    const { pid } = await testbed.runtime.exec(spec.id, {
      ...{ execId: 'one', containerPid, args: ['sleep', '1000'], env: ['PATH=/bin'], workingDirectory: '/', user: '' },
      ...{ groupAdd: [], tty: false, privileged: false, stdio: { stdin: '', stdout: '', stderr: '' } },
    });
    const shim = shimOf(spec.id);
    process.kill(shim, 'SIGSTOP');
    process.kill(pid, 'SIGKILL');
    assert.equal((await testbed.exited(spec.id, 'one')).exitCode, 137);
    process.kill(shim, 'SIGCONT');
    assert.equal((await testbed.runtime.get(spec.id))?.status, 'running');
    assert.equal((await testbed.runtime.deleteExec(spec.id, 'one'))?.exitCode, 137);
    await testbed.runtime.delete(spec.id);
  },
);
