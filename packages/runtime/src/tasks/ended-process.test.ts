/** Whether a failed call is put down to the end of its process. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { isNetyardError, NetyardError } from '@netyard/core';
import { Status } from '../containerd/gen/task_types_pb.ts';
import { explainEnded, isGone } from './ended-process.ts';

const said = new NetyardError('internal', 'pause a: OCI runtime pause failed: container not running: unknown');
const running = { status: Status.RUNNING, pid: process.pid };

test('a process that is reported as stopped, or not at all, has ended', async () => {
  for (const report of [undefined, { status: Status.STOPPED, pid: process.pid }]) {
    const explained = await explainEnded(said, async () => report);
    assert.ok(isNetyardError(explained, 'conflict'));
    assert.match(explained.message, /^the process has ended: pause a: OCI runtime/);
  }
});

test('one that is reported as running but gone has ended as well', async () => {
  const child = spawn('true');
  await once(child, 'exit');
  const report = { status: Status.RUNNING, pid: child.pid ?? 0 };
  assert.ok(isNetyardError(await explainEnded(said, async () => report), 'conflict'));
});

test('of a process that runs, or of which nothing is known, the failure stays as it is', async () => {
  assert.equal(await explainEnded(said, async () => running), said);
  assert.equal(await explainEnded(said, async () => ({ status: Status.UNKNOWN, pid: 0 })), said);
  assert.equal(await explainEnded(said, () => Promise.reject(new Error('containerd is gone'))), said);
});

test('refusals and an absent containerd are not asked about', async () => {
  for (const code of ['invalid', 'not-found', 'unavailable'] as const) {
    const error = new NetyardError(code, 'x');
    assert.equal(await explainEnded(error, () => assert.fail('asked')), error);
  }
});

test('a zombie, and a process that has begun to exit, is gone, whatever its name contains', () => {
  assert.ok(isGone(''));
  assert.ok(isGone('7 (sleep) Z 1 7 7'));
  assert.ok(isGone('7 (a) S ( b) X 1 7 7'));
  assert.ok(isGone('7 (sleep) D 1 7 7 0 -1 4194308 0'), 'PF_EXITING');
  assert.ok(!isGone('7 (a) Z) S 1 7 7 0 -1 4194304 0'));
});
