/** A network that a container is just leaving: a daemon that is killed then finds the container on it again. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KernelPlan } from '@netyard/kernel';
import { FakeKernel } from '@netyard/testkit';
import { on, Testbed } from './testbed.ts';

/** Once `isSlow` is set, the next removal waits for `released`. */
class SlowKernel extends FakeKernel {
  readonly entered = Promise.withResolvers<void>();
  readonly released = Promise.withResolvers<void>();
  isSlow = false;

  override async remove(plan: KernelPlan): ReturnType<FakeKernel['remove']> {
    if (this.isSlow) {
      this.isSlow = false;
      this.entered.resolve();
      await this.released.promise;
    }
    return super.remove(plan);
  }
}

test('a network cannot be removed before the disconnection of its last container is stored', async () => {
  const kernel = new SlowKernel();
  const testbed = new Testbed({ kernel });
  await testbed.networks.start([]);
  await testbed.networks.create({ name: 'left', driver: 'bridge' });
  const { containerId } = await testbed.run('member', on('left'));
  kernel.isSlow = true;
  const disconnected = testbed.networks.disconnect('left', containerId, false);
  await kernel.entered.promise;
  await assert.rejects(testbed.networks.remove('left'), /network left has active endpoints/);
  kernel.released.resolve();
  await disconnected;
  await testbed.networks.remove('left');
  await testbed.networks.close();
});
