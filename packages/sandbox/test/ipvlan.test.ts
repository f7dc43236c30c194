/** Ipvlan networks on a kernel in memory: what is rejected before anything changes, and the plan of a container. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { FakeKernel } from '@netyard/testkit';
import { openFakeTestbed, refuses } from './fake-testbed.ts';
import { on, type Testbed } from './testbed.ts';

let kernel: FakeKernel;
let testbed: Testbed;
let created = 0;

beforeEach(async () => {
  ({ kernel, testbed } = await openFakeTestbed());
});
afterEach(() => testbed.close());

const create = (name: string, options: Record<string, string> = {}, driver = 'ipvlan') => {
  created += 1;
  const v4 = [{ subnet: `10.5.${created}.0/24` }];
  return testbed.networks.create({ name, driver, ipam: { v4 }, options: { parent: 'eth0', ...options } });
};
const inContainer = (ns = '') => kernel.objects().filter((object) => 'ns' in object && object.ns === ns);

test('a kernel without ipvlan is reported when a network is created, and nothing changes', async () => {
  kernel.unsupportedKinds.add('ipvlan');
  const [objects, events] = [kernel.objects(), testbed.events.length];
  await assert.rejects(create('lan'), refuses('failed', 'the kernel does not support ipvlan interfaces'));
  await assert.rejects(create('lan'), { hint: 'run `modprobe ipvlan`, or use a kernel that has this module' });
  assert.deepEqual(kernel.objects(), objects);
  assert.equal(testbed.events.length, events);
  assert.equal(testbed.networks.list().length, 3);
  await create('mac', {}, 'macvlan');
});

test('a container has the MAC of the parent, and in mode l3 a default route to its interface', async () => {
  await create('lan', { ipvlan_mode: 'l3' });
  const { endpoints, netnsPath } = await testbed.run('a', on('lan'));
  const [endpoint] = endpoints;
  assert.deepEqual(endpoint?.addresses, { v4: { address: `10.5.${created}.1`, prefixLength: 24, onLink: true } });
  assert.deepEqual([endpoint?.mac, endpoint?.hostLink], ['', '']);
  const route = inContainer(netnsPath).find(({ kind }) => kind === 'route');
  assert.deepEqual(route, {
    ...{ kind: 'route', ns: netnsPath, to: 'default', family: 4, scope: 'link', link: 'eth0' },
  });
});

test('on a bridge network as well, the container’s default route follows the priority', async () => {
  await create('a-lan', { ipvlan_mode: 'l3s' });
  await testbed.networks.create({ name: 'front', driver: 'bridge', ipam: { v4: [{ subnet: '10.90.0.0/24' }] } });
  const { containerId, netnsPath } = await testbed.run('a', on('front'));
  const defaults = () => inContainer(netnsPath).flatMap((object) => (object.kind === 'route' ? [object.link] : []));
  await testbed.networks.connect('a-lan', containerId, { network: 'a-lan', gatewayPriority: -1 });
  assert.deepEqual(defaults(), ['eth0']);
  await testbed.networks.disconnect('front', containerId, false);
  assert.deepEqual(defaults(), ['eth1']);
});

test('a MAC cannot be requested, and the container is not left half started', async () => {
  await create('lan');
  const message = 'ipvlan interfaces do not support custom mac address assignment';
  const endpoints = [{ network: 'lan', macAddress: '02:00:00:00:00:07' }];
  const id = await testbed.create('a', { mode: { kind: 'network', ref: 'lan' }, endpoints });
  const before = kernel.objects();
  await assert.rejects(testbed.start(id), refuses('failed', `failed to set up container networking: ${message}`));
  assert.deepEqual(kernel.objects(), before);
  const other = await testbed.run('b');
  await assert.rejects(
    testbed.networks.connect('lan', other.containerId, endpoints[0] ?? { network: '' }),
    refuses('failed', message),
  );
});

test('ipvlan networks do not share a parent; one may have the parent of a macvlan network, as in Docker', async () => {
  const { id } = await create('lan');
  await assert.rejects(
    create('second'),
    refuses('failed', `network di-${id.slice(0, 12)} is already using parent interface eth0`),
  );
  await create('mac', {}, 'macvlan');
  await testbed.networks.remove('lan');
  await create('second');
});
