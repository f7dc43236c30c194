/** Tests `network connect` and `network disconnect` on an in-memory kernel. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { FakeKernel } from '@netyard/testkit';
import { failDefaultRoutes, openFakeTestbed, refuses, tcp } from './fake-testbed.ts';
import { on, type Testbed } from './testbed.ts';

let kernel: FakeKernel;
let testbed: Testbed;

beforeEach(async () => {
  ({ kernel, testbed } = await openFakeTestbed());
});
afterEach(() => testbed.close());

test('connect and disconnect follow the rules of Docker', async () => {
  const { networks } = testbed;
  const connect = (name: string, id: string) => networks.connect(name, id, { network: name });
  const web = await testbed.run('web');
  await assert.rejects(connect('nowhere', web.containerId), refuses('not-found', 'network nowhere not found'));
  await assert.rejects(
    connect('bridge', web.containerId),
    refuses('forbidden', 'endpoint with name web already exists in network bridge'),
  );
  await assert.rejects(
    connect('host', web.containerId),
    refuses('invalid', 'cannot connect container to host network - container must be created in host network mode'),
  );
  const shared =
    'container sharing network namespace with another container or host cannot be connected to any other network';
  const sharer = await testbed.run('sharer', { mode: { kind: 'container', ref: 'web' } });
  await assert.rejects(connect('bridge', sharer.containerId), refuses('invalid', shared));
  const host = await testbed.run('host', { mode: { kind: 'host' } });
  await assert.rejects(connect('bridge', host.containerId), refuses('invalid', shared));
  await assert.rejects(
    networks.disconnect('host', host.containerId, false),
    refuses('invalid', 'cannot disconnect container from host network - container was created in host network mode'),
  );
  await assert.rejects(
    networks.disconnect('none', web.containerId, false),
    refuses('failed', `container ${web.containerId} is not connected to network none`),
  );
});

test('a failed connect releases everything, a dry run allocates nothing', async () => {
  const { networks } = testbed;
  const web = await testbed.run('web', { ports: [tcp(8801)] });
  const running = kernel.objects();
  const leaving = await networks.planDisconnect('bridge', web.containerId, false);
  assert.ok(leaving.some(({ action, object }) => action === 'delete' && object.kind === 'veth'));
  assert.deepEqual(kernel.objects(), running);
  await networks.disconnect('bridge', web.containerId, false);
  assert.deepEqual(await networks.planDisconnect('bridge', web.containerId, false).catch(() => 'refused'), 'refused');
  const before = kernel.objects();
  const planned = await networks.planConnect('bridge', web.containerId, { network: 'bridge' });
  assert.ok(planned.some(({ object }) => object.kind === 'veth'));
  kernel.failAtStep(3);
  await assert.rejects(networks.connect('bridge', web.containerId, { network: 'bridge' }), /EIO/);
  assert.deepEqual(kernel.objects(), before);
  assert.deepEqual(kernel.reservedPorts(), []);
  assert.deepEqual(networks.state(web.containerId)?.endpoints, []);
  await networks.connect('bridge', web.containerId, { network: 'bridge' });
  assert.equal(networks.state(web.containerId)?.ports[0]?.hostPort, 8801);
});

test('a disconnect is complete although the container lacks the interface of its other network', async () => {
  const { networks } = testbed;
  for (const name of ['left', 'right']) await networks.create({ name, driver: 'bridge' });
  const { containerId } = await testbed.run('web', { ...on('left', 'right'), ports: [tcp(8801)] });
  failDefaultRoutes(kernel);
  await networks.disconnect('left', containerId, false);
  const [endpoint, ...others] = networks.state(containerId)?.endpoints ?? [];
  assert.deepEqual([endpoint?.networkName, others], ['right', []]);
  const values = kernel
    .objects()
    .flatMap((object) => (object.kind === 'nft-element' && object.key === 'tcp . 8801' ? (object.value ?? []) : []));
  assert.deepEqual(values, [`${endpoint?.addresses.v4?.address} . 80`]);
  await networks.remove('left');
  await networks.disconnect('right', containerId, false);
  await networks.remove('right');
});
