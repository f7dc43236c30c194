/** Whether a failed call is attributed to the end of its process. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { isNetyardError, NetyardError } from '@netyard/core';
import { Status } from '../containerd/gen/task_types_pb.ts';
import { explainEnded, isGone } from './ended-process.ts';

const said = new NetyardError('failed', 'pause a: OCI runtime pause failed: container not running: unknown');
const running = { status: Status.RUNNING, pid: process.pid };

test('a process that is reported as stopped, or not at all, has ended', async () => {
  for (const report of [undefined, { status: Status.STOPPED, pid: process.pid }]) {
    const explained = await explainEnded(said, async () => report);
    assert.ok(isNetyardError(explained, 'conflict'));
    assert.match(explained.message, /^the process has ended: pause a: OCI runtime/);
  }
});

test('a process that is reported as running but does not exist has ended as well', async () => {
  const child = spawn('true');
  await once(child, 'exit');
  const report = { status: Status.RUNNING, pid: child.pid ?? 0 };
  assert.ok(isNetyardError(await explainEnded(said, async () => report), 'conflict'));
});

test('the error is unchanged for a running process, or when its state is unknown', async () => {
  assert.equal(await explainEnded(said, async () => running), said);
  assert.equal(await explainEnded(said, async () => ({ status: Status.UNKNOWN, pid: 0 })), said);
  assert.equal(await explainEnded(said, () => Promise.reject(new Error('containerd is gone'))), said);
});

test('for invalid requests and without containerd the state is not queried', async () => {
  for (const code of ['invalid', 'not-found', 'unavailable'] as const) {
    const error = new NetyardError(code, 'x');
    assert.equal(await explainEnded(error, () => assert.fail('asked')), error);
  }
});

test('zombies and processes that have begun to exit count as ended, whatever their names contain', () => {
  assert.ok(isGone(''));
  assert.ok(isGone('7 (sleep) Z 1 7 7'));
  assert.ok(isGone('7 (a) S ( b) X 1 7 7'));
  assert.ok(isGone('7 (sleep) D 1 7 7 0 -1 4194308 0'), 'PF_EXITING');
  assert.ok(!isGone('7 (a) Z) S 1 7 7 0 -1 4194304 0'));
});
