/**
 * Requests about a container whose process ends between the check and the action: Docker's answers for a stopped one.
 */
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { isNetyardError } from '@netyard/core';
import type { ExecConfig } from '../src/index.ts';
import { configOf } from './fakes/container-config.ts';
import { type Harness, openHarness, until } from './fakes/harness.ts';

let harness: Harness;
let id: string;
beforeEach(async () => {
  harness = await openHarness();
  id = await harness.run({}, 'ending');
});
afterEach(() => harness.close());

const command: ExecConfig = {
  command: ['ls'],
  env: [],
  user: '',
  workingDirectory: '',
  tty: true,
  attachStdin: false,
  attachStdout: true,
  attachStderr: true,
  privileged: false,
  detachKeys: '',
};
const { signal } = new AbortController();

async function rejects(work: Promise<unknown>, code: string, message: string): Promise<void> {
  await assert.rejects(work, (error) => {
    assert.ok(isNetyardError(error), String(error));
    assert.deepEqual([error.code, error.message], [code, message]);
    return true;
  });
}

/** The exit event arrives after the request. */
async function end(): Promise<void> {
  harness.runtime.endsNow = false;
  harness.runtime.exit(id, 7);
  await until(() => harness.state(id).status === 'exited');
  assert.equal(harness.state(id).exitCode, 7);
}

test('pause, resize and top report that the container is not running', async () => {
  const { containers } = harness.engine;
  const notRunning = `container ${id} is not running`;
  harness.runtime.endsNow = true;
  await rejects(containers.pause(id), 'conflict', notRunning);
  await rejects(containers.resize(id, 24, 80), 'conflict', notRunning);
  await rejects(containers.top(id, ''), 'conflict', notRunning);
  await end();
});

test('unpause reports that the container is not paused', async () => {
  await harness.engine.containers.pause(id);
  harness.runtime.endsNow = true;
  await rejects(harness.engine.containers.unpause(id), 'failed', `Container ${id} is not paused`);
  await end();
});

test('update keeps the new limits for the next start', async () => {
  const { containers } = harness.engine;
  harness.runtime.endsNow = true;
  assert.deepEqual(await containers.update(id, { resources: { cpuShares: 512 } }), { warnings: [] });
  await end();
  await containers.start(id);
  assert.equal(harness.runtime.tasks.get(id)?.spec.resources.cpuShares, 512);
});

test('kill succeeds with any signal, also for a paused container', async () => {
  const { containers } = harness.engine;
  harness.runtime.endsNow = true;
  await containers.kill(id, 'HUP');
  await containers.kill(id, 'TERM');
  await end();
  await containers.start(id);
  await containers.pause(id);
  harness.runtime.endsNow = true;
  const killed = containers.kill(id, '');
  await until(() => harness.runtime.calls.includes('kill 9'));
  await end();
  await killed;
});

test('stats have no counters', async () => {
  harness.runtime.endsNow = true;
  const { metrics, networks } = await harness.engine.containers.stats(id);
  assert.deepEqual([metrics, networks], [undefined, {}]);
  await end();
});

test('an exec is not started, and a terminal of an ended command cannot be resized', async () => {
  const { exec } = harness.engine;
  const waiting = await exec.create(id, command);
  const running = await exec.create(id, command);
  await exec.start(running.id, { detach: true, tty: true, signal });
  harness.runtime.endsNow = true;
  await rejects(
    exec.start(waiting.id, { detach: true, tty: true, signal }),
    'conflict',
    `container ${id} is not running`,
  );
  assert.equal((await exec.inspect(waiting.id)).exitCode, 126);
  await rejects(exec.resize(running.id, 24, 80), 'not-found', `process does not exist ${running.id}: not found`);
  await end();
  await rejects(exec.resize(running.id, 24, 80), 'not-found', `process does not exist ${running.id}: not found`);
});

test('a start in the PID namespace of a container that ends reports that it is not running', async () => {
  const { containers } = harness.engine;
  const joining = await containers.create({ name: 'joining', config: configOf({ pidMode: 'container:ending' }) });
  harness.runtime.onCreate = () => {
    harness.runtime.endsNow = true;
    assert.throws(() => harness.runtime.check(id));
    throw new Error('open /proc/5000000/ns/pid: no such file or directory');
  };
  await rejects(containers.start(joining.id), 'conflict', `container ${id} is not running`);
  await end();
});

test('cp reads files as from a stopped container, once the exit is handled', async () => {
  mkdirSync(join(harness.rootfs.root, id, 'kept'));
  const stat = harness.engine.containers.statPath(id, '/kept');
  await end();
  assert.equal((await stat).name, '/kept');
  for (const ref of [id, 'ending'])
    await rejects(
      harness.engine.containers.statPath(ref, '/missing'),
      'not-found',
      `Could not find the file /missing in container ${ref}`,
    );
});

test('cp, diff and export of a container that is removed meanwhile report that it does not exist', async () => {
  const { containers } = harness.engine;
  const calls = [
    ['withMounts', () => containers.statPath('leaving', '/')],
    ['withMounted', () => containers.export('leaving')],
    ['changes', () => containers.changes('leaving')],
  ] as const;
  for (const [method, call] of calls) {
    await containers.create({ name: 'leaving', config: configOf() });
    mock.method(harness.rootfs, method, async () => {
      await containers.remove('leaving', { force: false, volumes: false, link: false });
      throw new Error('mount -t overlay: ENOENT: no such file or directory');
    });
    await rejects(call(), 'not-found', 'No such container: leaving');
  }
});
