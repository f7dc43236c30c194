/** Restarts on fakes: by users, who may do so at the same time, and by policy. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { type Harness, openHarness, until } from './fakes/harness.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await openHarness();
});
afterEach(() => harness.close());

test('restart policies restart a container that ended by itself, not one that was stopped', async () => {
  const id = await harness.run({ restartPolicy: { name: 'always', maximumRetryCount: 0 } });
  const pid = harness.state(id).pid;
  harness.runtime.exit(id, 1);
  await until(() => harness.state(id).status === 'restarting');
  assert.equal(harness.state(id).exitCode, 1);
  await until(() => harness.state(id).status === 'running');
  assert.notEqual(harness.state(id).pid, pid);
  assert.equal(harness.state(id).restartCount, 1);
  await harness.engine.containers.stop(id, {});
  assert.equal(harness.state(id).status, 'exited');
});

test('with unless-stopped, TERM stops a container whose stop signal is QUIT; HUP does not', async () => {
  const restartPolicy = { name: 'unless-stopped' as const, maximumRetryCount: 0 };
  const id = await harness.run({ stopSignal: 'SIGQUIT', restartPolicy });
  await harness.engine.containers.kill(id, 'HUP');
  harness.runtime.exit(id, 1);
  await until(() => harness.state(id).restartCount === 1 && harness.state(id).status === 'running');
  await harness.engine.containers.kill(id, 'TERM');
  harness.runtime.exit(id, 0);
  await until(() => harness.state(id).status !== 'running');
  assert.equal(harness.state(id).status, 'exited');
});

test('a restart succeeds when the container was started by others after its stop', async () => {
  const id = await harness.run({}, 'aa');
  const { containers } = harness.engine;
  const { pid } = harness.state(id);
  await Promise.all([containers.restart(id, {}), containers.restart(id, {}), containers.restart(id, {})]);
  assert.equal(harness.state(id).status, 'running');
  assert.notEqual(harness.state(id).pid, pid);
  let starts: Promise<void> | undefined;
  harness.runtime.onKill = (_id, signal) => {
    harness.runtime.exit(id, 128 + signal);
    starts = containers.start(id);
  };
  await Promise.all([containers.restart(id, {}), containers.stop(id, {})]);
  await starts?.catch(() => undefined);
  assert.equal(harness.state(id).status, 'running');
});
