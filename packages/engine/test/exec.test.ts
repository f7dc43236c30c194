/** Commands in running containers, through real FIFOs. */
import assert from 'node:assert/strict';
import { closeSync, constants, openSync, readdirSync, readSync, writeSync } from 'node:fs';
import { afterEach, beforeEach, test } from 'node:test';
import { isNetyardError, NetyardError } from '@netyard/core';
import type { ExecConfig, ExecSpec } from '../src/index.ts';
import { ioDirectory } from '../src/paths.ts';
import { configOf } from './fakes/container-config.ts';
import { type Harness, openHarness, text, until } from './fakes/harness.ts';

let harness: Harness;
let spec: ExecSpec | undefined;
beforeEach(async () => {
  harness = await openHarness();
  harness.runtime.onExec = (asked) => {
    spec = asked;
  };
});
afterEach(() => harness.close());

const config: ExecConfig = {
  command: ['ls', '-l'],
  env: ['MINE=1'],
  user: '',
  workingDirectory: '',
  tty: false,
  attachStdin: false,
  attachStdout: true,
  attachStderr: true,
  privileged: false,
  detachKeys: '',
};
const { signal } = new AbortController();

function write(path: string | undefined, words: string): void {
  const fd = openSync(path ?? '', constants.O_WRONLY | constants.O_NONBLOCK); // fails instead of waiting for a reader
  writeSync(fd, words);
  closeSync(fd);
}

test('an exec has the groups that were added to the container', async () => {
  const id = await harness.run({ groupAdd: ['audio', '777'] });
  const { id: execId } = await harness.engine.exec.create(id, config);
  await harness.engine.exec.start(execId, { detach: true, tty: false, signal });
  assert.deepEqual(spec?.groupAdd, ['audio', '777']);
});

test('an exec has output, an exit code and events, and leaves no FIFO', async () => {
  const id = await harness.run();
  const { exec } = harness.engine;
  const { id: execId } = await exec.create(id, config);
  const attached = await exec.start(execId, { detach: false, tty: false, signal });
  assert.ok(attached);
  assert.equal((await exec.inspect(execId)).running, true);
  assert.deepEqual((await harness.engine.containers.inspect(id, { size: false })).execIds, [execId]);
  assert.deepEqual(spec?.env.slice(-2), ['FROM=image', 'MINE=1']);
  write(spec?.stdio.stdout, 'out');
  write(spec?.stdio.stderr, 'err');
  harness.runtime.exitExec(id, execId, 3);
  assert.deepEqual([...(await text(attached.output))].sort(), [...'outerr'].sort());
  const { running, exitCode } = await exec.inspect(execId);
  assert.deepEqual([running, exitCode], [false, 3]);
  assert.deepEqual(readdirSync(ioDirectory(harness.settings, id)).sort(), [
    'position',
    'stderr',
    'stderr.spool',
    'stdout',
    'stdout.spool',
  ]);
  await until(() => harness.events.some((event) => event.action === 'exec_die'));
  const actions = harness.events.map((event) => event.action).filter((action) => action.startsWith('exec'));
  assert.deepEqual(actions, ['exec_create: ls -l', 'exec_start: ls -l', 'exec_die']);
  await assert.rejects(
    exec.start(execId, { detach: false, tty: false, signal }),
    (error) => isNetyardError(error, 'conflict') && error.message === `exec command ${execId} has already run`,
  );
});

test('stdin reaches the command, and its end closes the shim’s', async () => {
  const id = await harness.run();
  const { exec } = harness.engine;
  let stdin = -1;
  harness.runtime.onExec = (asked) => {
    spec = asked;
    stdin = openSync(asked.stdio.stdin, 'r+');
  };
  const { id: execId } = await exec.create(id, { ...config, attachStdin: true });
  const attached = await exec.start(execId, { detach: false, tty: false, signal });
  await new Promise<void>((resolve) => attached?.stdin?.end('hello', resolve));
  const buffer = Buffer.alloc(16);
  assert.equal(buffer.toString('utf8', 0, readSync(stdin, buffer)), 'hello');
  await until(() => harness.runtime.calls.includes('closeStdin'));
  closeSync(stdin);
  harness.runtime.exitExec(id, execId, 0);
});

test('a missing command exits with 127, one without permission with 126', async () => {
  const id = await harness.run();
  const { exec } = harness.engine;
  const cases: [string, number][] = [
    ['exec: "x": executable file not found in $PATH', 127],
    ['exec: "/etc": permission denied', 126],
  ];
  for (const [message, exitCode] of cases) {
    harness.runtime.onExec = () => {
      throw new NetyardError('invalid', message);
    };
    const { id: execId } = await exec.create(id, config);
    await assert.rejects(exec.start(execId, { detach: false, tty: false, signal }), (error) => {
      assert.ok(isNetyardError(error, 'invalid'));
      assert.equal(
        error.message,
        `OCI runtime exec failed: exec failed: unable to start container process: ${message}: unknown`,
      );
      return true;
    });
    assert.equal((await exec.inspect(execId)).exitCode, exitCode);
  }
  assert.deepEqual(readdirSync(ioDirectory(harness.settings, id)).sort(), [
    'position',
    'stderr',
    'stderr.spool',
    'stdout',
    'stdout.spool',
  ]);
});

test('changes inside the network are reported at once while a privileged exec runs, and only then', async () => {
  const id = await harness.run();
  const { exec } = harness.engine;
  const start = async (privileged: boolean): Promise<string> => {
    const { id: execId } = await exec.create(id, { ...config, privileged });
    await exec.start(execId, { detach: true, tty: false, signal });
    return execId;
  };
  const held = harness.networks.heldWatches;
  const plain = await start(false);
  assert.deepEqual(held, []);
  const privileged = await start(true);
  assert.deepEqual(held, [id]);
  harness.runtime.exitExec(id, plain, 0);
  harness.runtime.exitExec(id, privileged, 0);
  await until(() => held.length === 0);
  harness.runtime.onExec = () => {
    assert.deepEqual(held, [id]);
    throw new NetyardError('invalid', 'exec: "x": executable file not found in $PATH');
  };
  await assert.rejects(start(true));
  assert.deepEqual(held, []);
});

test('links to stopped containers are rejected before anything else', async () => {
  const id = await harness.run();
  harness.networks.onCheckLinks = () => {
    throw new NetyardError('conflict', 'Cannot link to a non running container: /a AS /b/a');
  };
  await assert.rejects(harness.engine.exec.create(id, config), /Cannot link to a non running container/);
});

test('a client that disconnects does not end the command, nor does unread output block it', async () => {
  const id = await harness.run();
  const leaving = new AbortController();
  const { id: execId } = await harness.engine.exec.create(id, config);
  const attached = await harness.engine.exec.start(execId, { detach: false, tty: false, signal: leaving.signal });
  assert.ok(attached);
  const received = text(attached.output);
  leaving.abort();
  await received;
  write(spec?.stdio.stdout, 'x'.repeat(10_000));
  assert.equal((await harness.engine.exec.inspect(execId)).running, true);
  harness.runtime.exitExec(id, execId, 0);
  await until(() => harness.events.some((event) => event.action === 'exec_die'));
});

test('a health check makes a container healthy, and failures unhealthy', async () => {
  const healthcheck = {
    test: ['CMD-SHELL', 'probe'],
    intervalNanoseconds: 5e6,
    timeoutNanoseconds: 1e9,
    startPeriodNanoseconds: 0,
    retries: 2,
  };
  let exitCode = 0;
  harness.runtime.onExec = (asked) => {
    assert.deepEqual(asked.args, ['/bin/sh', '-c', 'probe']);
    setImmediate(() => {
      write(asked.stdio.stdout, 'fine');
      write(asked.stdio.stderr, '');
      harness.runtime.exitExec(id, asked.execId, exitCode);
    });
  };
  const { id } = await harness.engine.containers.create({
    name: undefined,
    config: configOf({ healthcheck }),
  });
  await harness.engine.containers.start(id);
  const health = async () => (await harness.engine.containers.inspect(id, { size: false })).record.state.health;
  assert.equal((await health())?.status, 'starting');
  const saw = (status: string) => harness.events.some((event) => event.action === `health_status: ${status}`);
  await until(() => saw('healthy'));
  assert.equal((await health())?.log[0]?.output, 'fine');
  exitCode = 1;
  await until(() => saw('unhealthy'));
  assert.ok(((await health())?.failingStreak ?? 0) >= 2);
});

test('a client of stdin alone is served until its input ends, one without streams until the start', async () => {
  const id = await harness.run();
  const { exec } = harness.engine;
  harness.runtime.onExec = (asked) => {
    spec = asked;
    if (asked.stdio.stdin !== '') openSync(asked.stdio.stdin, 'r+');
  };
  const nothing = { ...config, attachStdout: false, attachStderr: false };
  const { id: silent } = await exec.create(id, nothing);
  const unattached = await exec.start(silent, { detach: false, tty: false, signal });
  assert.ok(unattached);
  assert.equal(await text(unattached.output), '');
  assert.deepEqual(spec?.stdio, { stdin: '', stdout: '', stderr: '' });
  const { id: fed } = await exec.create(id, { ...nothing, attachStdin: true });
  const attached = await exec.start(fed, { detach: false, tty: false, signal });
  assert.ok(attached);
  const ended = text(attached.output);
  attached.stdin?.end('words');
  assert.equal(await ended, '');
  for (const each of [silent, fed]) {
    assert.equal((await exec.inspect(each)).running, true);
    harness.runtime.exitExec(id, each, 0);
  }
});

test('when a container ends, its running commands are killed, and those not started are deleted', async () => {
  const id = await harness.run();
  const { exec } = harness.engine;
  const { id: waiting } = await exec.create(id, config);
  const { id: running } = await exec.create(id, config);
  const attached = await exec.start(running, { detach: false, tty: false, signal });
  assert.ok(attached);
  closeSync(openSync(spec?.stdio.stdout ?? '', constants.O_WRONLY | constants.O_NONBLOCK));
  closeSync(openSync(spec?.stdio.stderr ?? '', constants.O_WRONLY | constants.O_NONBLOCK));
  harness.runtime.exit(id, 0);
  await text(attached.output);
  assert.equal((await exec.inspect(running)).exitCode, 137);
  for (const work of [exec.inspect(waiting), exec.checkStart(waiting)])
    await assert.rejects(
      work,
      (error) => isNetyardError(error, 'not-found') && /No such exec instance/.test(error.message),
    );
  await assert.rejects(exec.checkStart(running), (error) => isNetyardError(error, 'conflict'));
});

test('a resize that arrives while the command is being started takes effect', async () => {
  const id = await harness.run();
  const { exec } = harness.engine;
  const { id: execId } = await exec.create(id, { ...config, tty: true });
  const starting = exec.start(execId, { detach: true, tty: true, signal });
  const resizing = exec.resize(execId, 24, 80);
  await Promise.all([starting, resizing]);
  assert.ok(harness.runtime.calls.includes('resize 24x80'));
});

test('a resize is rejected when the start fails', async () => {
  const id = await harness.run();
  const { exec } = harness.engine;
  harness.runtime.onExec = () => {
    throw new NetyardError('failed', 'no such command');
  };
  const { id: execId } = await exec.create(id, { ...config, tty: true });
  const starting = exec.start(execId, { detach: true, tty: true, signal });
  await assert.rejects(Promise.all([exec.resize(execId, 24, 80), assert.rejects(starting)]), /process does not exist/);
});
