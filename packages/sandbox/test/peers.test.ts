/** Tests peers as a part of the network package, on an in-memory kernel: start, explain, topology, events, cleanup. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { FakeKernel } from '@netyard/testkit';
import { refuses } from './fake-testbed.ts';
import { Testbed } from './testbed.ts';

const server2 = { name: 'server2', address: '172.16.2.102', subnets: ['192.168.12.0/24', '10.12.0.0/16'] };

let kernel: FakeKernel;
let testbed: Testbed;

beforeEach(async () => {
  kernel = new FakeKernel();
  kernel.appear({ kind: 'address', link: 'eth0', prefix: '172.16.2.101/16' });
  testbed = new Testbed({ kernel });
  await testbed.networks.start([]);
});
afterEach(() => testbed.close());

const routes = (): string[] => kernel.objects().flatMap((object) => (object.kind === 'route' ? [object.to] : []));

test('a peer is added, explained, drawn and removed without a trace', async () => {
  const before = kernel.objects();
  assert.equal((await testbed.networks.planAddPeer(server2)).length, 15);
  const state = await testbed.networks.addPeer(server2);
  assert.deepEqual(await testbed.networks.peers(), [state]);
  assert.deepEqual(
    testbed.networks.explain('server2').objects.map(({ kind }) => kind),
    ['vxlan', 'sysctl', 'address', 'sysctl', ...new Array(9).fill('nft-element'), 'route', 'route'],
  );
  assert.equal(
    (await testbed.networks.planRemovePeer('server2')).length,
    12,
    'sysctls and the address go with their link',
  );
  const { nodes, edges } = testbed.networks.topology();
  assert.equal(nodes.find(({ kind }) => kind === 'peer')?.detail['path'], 'route');
  const edge = { from: 'peer server2', to: 'host', address: '172.16.2.102', link: 'eth0' };
  assert.deepEqual(edges.at(-1), edge);
  await testbed.networks.removePeer('server2');
  assert.deepEqual(kernel.objects(), before);
  assert.throws(
    () => testbed.networks.explain('server2'),
    refuses('not-found', 'No such container, network or peer: server2'),
  );
});

test("a subnet of this host's networks is rejected", async () => {
  await assert.rejects(
    testbed.networks.addPeer({ ...server2, subnets: ['172.17.0.0/24'] }),
    refuses('conflict', /our own network bridge/),
  );
});

test('a start restores stored peers and those of the configuration', async () => {
  await testbed.networks.addPeer(server2);
  const expected = new Set(kernel.objects());
  await testbed.networks.close();
  kernel.vanish({ kind: 'route', to: '10.12.0.0/16' });
  await testbed.open().start([]);
  assert.deepEqual(new Set(kernel.objects()), expected);
  await testbed.networks.close();
  const server3 = { name: 'server3', address: '172.16.2.103', subnets: ['192.168.13.0/24'] };
  await testbed.open({ peers: [server3] }).start([]);
  assert.deepEqual(routes().toSorted(), [...server2.subnets, ...server3.subnets].toSorted());
});

test('a rejected peer of the cluster is an event of the default bridge, and explain says why', async () => {
  await testbed.networks.setClusterPeers([{ ...server2, address: '172.17.0.9' }]);
  const [event] = testbed.events.filter(({ action }) => action === 'refuse');
  assert.equal(event?.networkName, 'bridge');
  assert.equal(event?.detail, 'peer server2: 172.17.0.9 is in our own network bridge');
  const problem = 'peer server2 is refused: 172.17.0.9 is in our own network bridge';
  assert.throws(() => testbed.networks.explain('server2'), refuses('conflict', problem));
});

test('cleanup deletes peer routes without stored state', async () => {
  await testbed.networks.addPeer(server2);
  await testbed.networks.close();
  testbed.store.deletePeer('server2');
  kernel.appear({ kind: 'route', to: '10.99.0.0/16', via: '172.16.2.9', link: 'eth0' });
  const removed = await testbed.open().cleanup({ dryRun: false });
  assert.ok(removed.includes('route 192.168.12.0/24'));
  assert.deepEqual(routes(), ['10.99.0.0/16']);
});
