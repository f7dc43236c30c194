/** How often the addresses of new endpoints are announced, on a kernel in memory and with a clock of the test. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, type TestContext, test } from 'node:test';
import { FakeKernel } from '@netyard/testkit';
import { on, Testbed } from './testbed.ts';

const key = 'com.docker.network.advertise_addr_';
let kernel: FakeKernel;
let testbed: Testbed;

beforeEach(async () => {
  kernel = new FakeKernel();
  testbed = new Testbed({ kernel });
  await testbed.networks.start([]);
  const create = (name: string, options: Record<string, string>) =>
    testbed.networks.create({ name, driver: 'bridge', enable: { v4: true, v6: true }, options });
  await create('loud', { [`${key}nmsgs`]: '3', [`${key}ms`]: '200' });
  await create('once', { [`${key}nmsgs`]: '1' });
  await create('quiet', {});
  await create('off', { [`${key}nmsgs`]: '0' });
});
afterEach(() => testbed.close());

/** Lets ten seconds pass: a timer that another one sets needs a step of its own. */
const pass = (t: TestContext): void => {
  for (let step = 0; step < 100; step++) t.mock.timers.tick(100);
};

test('a start announces both addresses three times at the interval, and waits for none', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const state = await testbed.run('web', on('loud'));
  assert.deepEqual(kernel.announced, [], 'the start does not wait');
  const { v4, v6 } = state.endpoints[0]?.addresses ?? {};
  t.mock.timers.tick(50);
  assert.deepEqual(kernel.announced, [{ ns: state.netnsPath, link: 'eth0', addresses: [v4?.address, v6?.address] }]);
  t.mock.timers.tick(199);
  assert.equal(kernel.announced.length, 1);
  t.mock.timers.tick(1);
  assert.equal(kernel.announced.length, 2);
  pass(t);
  assert.equal(kernel.announced.length, 3);
});

test('it ends with the container, and starts again with the next start and with a connection', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { containerId } = await testbed.run('web', on('loud'));
  t.mock.timers.tick(50);
  await testbed.networks.release(containerId);
  pass(t);
  assert.equal(kernel.announced.length, 1);
  await testbed.networks.prepare(containerId);
  pass(t);
  assert.equal(kernel.announced.length, 4);
  await testbed.networks.connect('once', containerId, { network: 'once' });
  pass(t);
  assert.deepEqual(
    kernel.announced.slice(4).map(({ link }) => link),
    ['eth1'],
  );
});

test('nothing is announced without the options, or with none as the number', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  await testbed.run('a', on('quiet'));
  await testbed.run('b', on('off'));
  await testbed.run('c');
  pass(t);
  assert.deepEqual(kernel.announced, []);
});
