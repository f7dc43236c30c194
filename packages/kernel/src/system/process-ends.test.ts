/** Processes that end while they are watched, and those that do not. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { after, test } from 'node:test';
import { hasErrno } from './ffi/errno.ts';
import { ProcessEnds } from './process-ends.ts';

const children: ChildProcess[] = [];
after(() => children.forEach((child) => void child.kill('SIGKILL')));

async function start(): Promise<{ pid: number; end: () => Promise<void> }> {
  const child = spawn('sleep', ['1000']);
  children.push(child);
  await once(child, 'spawn');
  const end = async (): Promise<void> => {
    child.kill('SIGKILL');
    await once(child, 'exit');
  };
  return { pid: child.pid ?? 0, end };
}

const descriptors = (): number => readdirSync('/proc/self/fd').length;

test('a process that ends is reported once, others are not', async () => {
  const before = descriptors();
  const ends = new ProcessEnds();
  const [first, second] = [await start(), await start()];
  ends.add(first.pid);
  ends.add(second.pid);
  assert.deepEqual(ends.takeEnded(), []);
  await first.end();
  assert.deepEqual(ends.takeEnded(), [first.pid]);
  assert.deepEqual(ends.takeEnded(), []);
  ends.remove(second.pid);
  await second.end();
  assert.deepEqual(ends.takeEnded(), []);
  ends.close();
  assert.equal(descriptors(), before);
});

test('more processes than one wait returns are reported', async () => {
  const ends = new ProcessEnds();
  const started = await Promise.all(Array.from({ length: 70 }, start));
  for (const { pid } of started) ends.add(pid);
  await Promise.all(started.map(({ end }) => end()));
  assert.deepEqual(ends.takeEnded().sort(), started.map(({ pid }) => pid).sort());
  ends.close();
});

test('a process that does not exist is rejected', async () => {
  const ends = new ProcessEnds();
  const { pid, end } = await start();
  await end();
  assert.throws(
    () => ends.add(pid),
    (error) => hasErrno(error, 'ESRCH'),
  );
  ends.close();
});
