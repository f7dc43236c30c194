/** Tests that a failed creation of a network restores the facts on which Netyard's tables depend. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openFakeTestbed } from './fake-testbed.ts';

test('after a failed creation of the first network with icc=false, the tables are as planned', async () => {
  const { kernel, testbed } = await openFakeTestbed();
  const options = { 'com.docker.network.bridge.enable_icc': 'false' };
  const request = { name: 'apart', driver: 'bridge', options };
  const drift = async (): Promise<string[]> =>
    (await testbed.networks.inspect())
      .filter(({ grade }) => grade === 'warning' || grade === 'broken')
      .map(({ text }) => text);
  const before = await drift();
  const steps = (await testbed.networks.planCreate(request)).length;
  assert.ok(steps > 4);
  for (let step = 1; step <= steps; step += 1) {
    kernel.failAtStep(step);
    await assert.rejects(testbed.networks.create(request), /EIO/, `step ${step}`);
    assert.deepEqual(await drift(), before, `step ${step}`);
  }
  await testbed.close();
});
