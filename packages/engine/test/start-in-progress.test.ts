/** Requests to a container whose start is in progress. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { configOf } from './fakes/container-config.ts';
import { type Harness, openHarness } from './fakes/harness.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await openHarness();
});
afterEach(() => harness.close());

test('a container whose start is in progress can be stopped, killed and removed by force', async () => {
  const { containers } = harness.engine;
  const remove = (force: boolean): Promise<void> => containers.remove('aa', { force, volumes: false, link: false });
  const during = async (request: () => Promise<void>): Promise<string | undefined> => {
    const { id } = await containers.create({ name: 'aa', config: configOf({}) });
    const started = containers.start(id);
    try {
      await Promise.all([request(), started]);
      return harness.store.records.get(id)?.state.status;
    } finally {
      await started;
      await remove(true).catch(() => undefined);
    }
  };
  assert.equal(await during(() => containers.stop('aa', {})), 'exited');
  assert.equal(await during(() => containers.kill('aa', 'KILL')), 'exited');
  assert.equal(await during(() => remove(true)), undefined);
  await assert.rejects(
    during(() => remove(false)),
    /^NetyardError: cannot remove container "aa": container is running/,
  );
});

test('restart and the end of the daemon wait for a start that is in progress', async () => {
  const { containers } = harness.engine;
  const { id } = await containers.create({ name: 'aa', config: configOf({}) });
  const pid = (): number | undefined => harness.store.records.get(id)?.state.pid;
  const first = containers.start(id).then(pid);
  await containers.restart('aa', {});
  assert.notEqual(await first, undefined);
  assert.notEqual(pid(), await first, 'it was started again');
  await containers.stop('aa', {});
  const started = containers.start(id);
  await harness.engine.stop({ stopContainers: true });
  await started;
  assert.equal(harness.store.records.get(id)?.state.status, 'exited');
});
