/** Tests that the dry run of a peer returns exactly the operations that are then performed, those of its host included. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { FakeKernel } from '@netyard/testkit';
import { comparePeer } from './compare-peer.ts';
import { refuses } from './fake-testbed.ts';
import { Testbed } from './testbed.ts';

const near = { name: 'near', address: '172.16.2.102', subnets: ['192.168.12.0/24', '10.12.0.0/16'] };
const far = { name: 'far', address: '198.51.100.2', subnets: ['192.168.13.0/24'] };
const third = { name: 'third', address: '198.51.100.3', subnets: ['192.168.14.0/24'] };

let kernel: FakeKernel;
let testbed: Testbed;

beforeEach(async () => {
  kernel = new FakeKernel();
  kernel.appear({ kind: 'address', link: 'eth0', prefix: '172.16.2.101/16' });
  kernel.appear({ kind: 'route', to: 'default', via: '172.16.0.1', link: 'eth0' });
  testbed = new Testbed({ kernel, settings: { legacyTables: '/dev/null' } });
  await testbed.networks.start([]);
  await testbed.run('web');
});
afterEach(() => testbed.close());

/** What a dry run must not change. */
const state = async () => ({
  objects: kernel.objects(),
  flushed: [...kernel.forgottenSubnets],
  stored: testbed.store.peers(),
  peers: await testbed.networks.peers(),
  explained: testbed.networks.explain('web'),
  events: [...testbed.events],
});

const compare = (request: Parameters<typeof comparePeer>[1]) =>
  comparePeer(testbed.networks, request, { done: () => kernel.done, state });

test('add and remove: a peer with a route', async () => {
  await compare({ add: near });
  await compare({ add: { ...third, via: 'vxlan' } });
  await compare({ remove: 'near' });
});

test('add and remove: the first peer behind routers changes the MTU of bridges and containers, a second does not', async () => {
  const resized = (await compare({ add: far })).filter(({ action }) => action === 'change');
  assert.deepEqual(
    resized.map(({ object }) => object.kind),
    ['bridge', 'veth'],
  );
  const second = await compare({ add: third });
  assert.ok(second.every(({ action, object }) => action === 'create' && object.kind !== 'vxlan'));
  const first = await compare({ remove: 'third' });
  assert.ok(first.every(({ action, object }) => action === 'delete' && object.kind !== 'vxlan'));
  const last = await compare({ remove: 'far' });
  assert.deepEqual(
    last.filter(({ action }) => action === 'change').map(({ object }) => object.kind),
    ['bridge', 'veth'],
  );
});

test('remove: a host of the cluster is admitted that conflicted with the peer', async () => {
  await testbed.networks.addPeer(near);
  await testbed.networks.setClusterPeers([{ ...far, subnets: ['192.168.12.0/24'] }]);
  const planned = await compare({ remove: 'near' });
  assert.ok(planned.some(({ action, object }) => action === 'create' && object.kind === 'route'));
  assert.deepEqual((await testbed.networks.peer('far')).problems, []);
});

test('a dry run is rejected as the operation is', async () => {
  await testbed.networks.addPeer(near);
  const before = await state();
  const { networks } = testbed;
  await assert.rejects(networks.planAddPeer(near), refuses('conflict', 'peer near exists already'));
  await assert.rejects(networks.planAddPeer({ ...third, via: 'route' }), refuses('invalid', /is on no link/));
  await assert.rejects(networks.planRemovePeer('far'), refuses('not-found', 'peer far not found'));
  assert.deepEqual(await state(), before);
});
