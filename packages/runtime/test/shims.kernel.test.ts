/** Shims that are started before containerd needs them, and crun on its read-only mount. */
import assert from 'node:assert/strict';
import { closeSync, constants, existsSync, openSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { newId } from '@netyard/core';
import { hasErrno } from '@netyard/kernel';
import { inFreshHost } from '@netyard/testkit';
import { findShims } from '../src/containerd/process.ts';
import { openTaskHost, type TaskHost } from './task-host.ts';

const host = inFreshHost(import.meta.url, { cgroups: true });
let testbed: TaskHost;
before(async () => {
  testbed = await openTaskHost('crun');
});
after(() => testbed.close());

const until = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await pause(5);
};
const shims = (id: string) => findShims(id, testbed.supervisor.socket);
/** The shim of a container that was just started: its command line appears a moment later. */
async function shimOf(id: string): Promise<number> {
  await until(() => shims(id).length > 0);
  return shims(id)[0]?.pid ?? 0;
}
const left = (): string[] => readdirSync(join(testbed.folder, 'shims'));
const environmentOf = (pid: number): string[] => readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');

/** With its prepared shim. */
async function start(...given: Parameters<TaskHost['spec']>): Promise<{ id: string; shim: number }> {
  const spec = testbed.spec(...given);
  testbed.runtime.prepare(spec.id);
  const shim = await shimOf(spec.id);
  await testbed.runtime.create(spec);
  await testbed.runtime.start(spec.id);
  return { id: spec.id, shim };
}

/** A zombie, or gone. */
const hasEnded = (pid: number): boolean =>
  !existsSync(`/proc/${pid}`) || /\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));

/** The error of opening it again for writing. */
function refusalOf(fd: number, flags: number): unknown {
  try {
    closeSync(openSync(`/proc/self/fd/${fd}`, flags));
  } catch (error) {
    return error;
  }
  return undefined;
}

test('the prepared shim becomes the container’s, and nothing of it is left', host, async () => {
  const { id, shim } = await start(['sh', '-c', 'read line </tmp/none; exit 3']);
  assert.deepEqual(testbed.runtime.prepared(), [id]);
  assert.equal((await testbed.exited(id)).exitCode, 3);
  assert.deepEqual(
    shims(id).map(({ pid }) => pid),
    [shim],
    'containerd started no other one',
  );
  assert.ok(environmentOf(shim).includes('GOMAXPROCS=1'));
  assert.equal((await testbed.runtime.delete(id))?.exitCode, 3);
  await until(() => hasEnded(shim));
  assert.deepEqual(testbed.runtime.prepared(), []);
  assert.deepEqual(left(), []);
  await until(() => !existsSync(`/proc/${shim}`)); // reaped eventually
});

test('a prepared shim that is not used ends', host, async () => {
  const id = newId();
  testbed.runtime.prepare(id);
  const first = await shimOf(id);
  testbed.runtime.prepare(id); // as after a daemon that was killed in between
  await until(() => hasEnded(first));
  const second = await shimOf(id);
  assert.notEqual(second, first);
  assert.equal(await testbed.runtime.delete(id), undefined);
  await until(() => hasEnded(second));
  assert.deepEqual(left(), []);
});

test('a container that cannot be created leaves nothing behind', host, async () => {
  const spec = testbed.spec(['/no/such/program']);
  testbed.runtime.prepare(spec.id);
  const shim = await shimOf(spec.id);
  await assert.rejects(testbed.runtime.create(spec), /no such file or directory/);
  await until(() => hasEnded(shim));
  assert.deepEqual(left(), []);
});

test('a restarted containerd finds the shim again, and exits that it missed', host, async () => {
  const running = await start(['sleep', '1000']);
  const { pid } = (await testbed.runtime.get(running.id)) ?? { pid: 0 };
  process.kill(testbed.supervisor.pid(), 'SIGKILL');
  process.kill(pid, 'SIGKILL');
  await until(() => testbed.events.some((event) => event.type === 'resync'));
  await until(() => hasEnded(pid));
  const ended = async () => (await testbed.runtime.get(running.id))?.exit?.exitCode;
  while ((await ended()) === undefined) await pause(5);
  assert.equal(await ended(), 137);
  assert.equal((await testbed.runtime.delete(running.id))?.exitCode, 137);
  assert.deepEqual(left(), []);
});

test('a killed shim ends its container, which is reported and removed', host, async () => {
  const { id, shim } = await start(['sleep', '1000']);
  const { pid } = (await testbed.runtime.get(id)) ?? { pid: 0 };
  process.kill(shim, 'SIGKILL');
  assert.equal((await testbed.exited(id)).exitCode, 137);
  await testbed.runtime.delete(id);
  assert.ok(hasEnded(pid));
  assert.deepEqual(left(), []);
});

test('a file that is not a socket any more is ignored: the usual shim starts', host, async () => {
  const spec = testbed.spec(['sh', '-c', 'exit 5']);
  await testbed.runtime.create(spec); // nothing was prepared
  await testbed.runtime.start(spec.id);
  assert.equal((await testbed.exited(spec.id)).exitCode, 5);
  assert.equal((await testbed.runtime.delete(spec.id))?.exitCode, 5);
});

test('crun runs from a read-only mount: a process inside that holds its file cannot write it', host, async () => {
  const spec = testbed.spec(['true']);
  testbed.runtime.prepare(spec.id);
  const { pid } = await testbed.runtime.create(spec); // not started: it is still crun, inside the container's namespaces
  assert.deepEqual(statSync(`/proc/${pid}/exe`).ino, statSync('/usr/bin/crun').ino, 'crun did not copy itself');
  const kept = openSync(`/proc/${pid}/exe`, 'r');
  await testbed.runtime.delete(spec.id);
  await until(() => hasEnded(pid));
  // While it is not running, only the mount prevents writing. Other tests on this machine may run it for a moment.
  for (const flags of [constants.O_WRONLY, constants.O_RDWR | constants.O_TRUNC]) {
    let refusal = refusalOf(kept, flags);
    for (; hasErrno(refusal, 'ETXTBSY'); refusal = refusalOf(kept, flags)) await pause(5);
    assert.ok(hasErrno(refusal, 'EROFS'), String(refusal));
  }
  closeSync(kept);
});

test('masked directories are empty and read-only, and no file systems of their own', host, async () => {
  const print = 'for d in /proc/acpi /sys/firmware; do ls -A $d; stat -c "%d %a" $d; touch $d/x; done';
  const covered = async (): Promise<string[]> => {
    const { id } = await start(['sh', '-c', print]);
    await testbed.exited(id);
    await testbed.runtime.delete(id);
    assert.match(testbed.output(id, 'stderr'), /^(touch: .*: Read-only file system\n){2}$/);
    return testbed.output(id).trim().split('\n');
  };
  const seen = [...(await covered()), ...(await covered())];
  assert.equal(seen.length, 4, seen.join());
  assert.equal(new Set(seen).size, 1, seen.join());
  assert.match(seen[0] ?? '', /^\d+ 555$/);
  const { id } = await start(['sh', '-c', 'mount -o remount,rw,bind /sys/firmware && touch /sys/firmware/mine'], {
    capAdd: ['SYS_ADMIN'],
  });
  await testbed.exited(id);
  await testbed.runtime.delete(id);
  assert.deepEqual((await covered()).slice(0, 2), seen.slice(0, 2), 'what another container wrote is not there');
});

test('a masked path that only the host has is ignored', host, async () => {
  const spec = testbed.spec(['true']);
  testbed.runtime.prepare(spec.id);
  const { id } = await start(['true'], { maskedPaths: [`/proc/${await shimOf(spec.id)}`] });
  await testbed.runtime.delete(spec.id);
  assert.equal((await testbed.exited(id)).exitCode, 0);
  await testbed.runtime.delete(id);
});

test('when no container is left, its mount is removed with the runtime', host, async () => {
  const mounted = (): boolean =>
    readFileSync('/proc/self/mountinfo', 'utf8').includes(join(testbed.folder, 'mounts/crun'));
  const { id } = await start(['sleep', '1000']);
  await testbed.runtime.close();
  assert.ok(mounted(), 'a container needs it');
  await testbed.runtime.delete(id);
  await testbed.runtime.close();
  assert.ok(!mounted());
});
