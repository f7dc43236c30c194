/** Tests peers on an in-memory kernel: failures roll back, and stored peers are restored at start. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { isNetyardError } from '@netyard/core';
import { FakeKernel } from '@netyard/testkit';
import { Testbed } from './testbed.ts';

const uplink = { kind: 'address', link: 'eth0', prefix: '172.16.2.101/16' } as const;
const server2 = { name: 'server2', address: '172.16.2.102', subnets: ['192.168.12.0/24', '10.12.0.0/16'] };

let kernel: FakeKernel;
let testbed: Testbed;

beforeEach(async () => {
  kernel = new FakeKernel();
  kernel.appear(uplink);
  testbed = new Testbed({ kernel });
  await testbed.networks.start([]);
});
afterEach(() => testbed.close());

const refuses = (code: string, message: RegExp) => (error: unknown) =>
  isNetyardError(error) && error.code === code && message.test(error.message);

const routes = (): string[] => kernel.objects().flatMap((object) => (object.kind === 'route' ? [object.to] : []));

test('a peer is added, listed, explained and removed without a trace', async () => {
  const before = kernel.objects();
  const planned = await testbed.networks.planAddPeer(server2);
  assert.equal(planned.length, 14);
  assert.deepEqual(kernel.objects(), before);
  const state = await testbed.networks.addPeer(server2);
  assert.deepEqual(state.problems, []);
  assert.ok(state.open && state.routes.every(({ present }) => present));
  assert.deepEqual(await testbed.networks.peers(), [state]);
  assert.deepEqual(
    testbed.networks.explain('server2').objects.map(({ kind }) => kind),
    ['vxlan', 'sysctl', 'sysctl', ...new Array(9).fill('nft-element'), 'route', 'route'],
  );
  assert.equal((await testbed.networks.planRemovePeer('server2')).length, 12, 'sysctls go with their link');
  const { nodes, edges } = testbed.networks.topology();
  assert.equal(nodes.find(({ kind }) => kind === 'peer')?.detail['path'], 'route');
  const edge = { from: 'peer server2', to: 'host', address: '172.16.2.102', link: 'eth0' };
  assert.deepEqual(edges.at(-1), edge);
  await testbed.networks.removePeer('server2');
  assert.deepEqual(kernel.forgottenSubnets, [...server2.subnets, ...server2.subnets]);
  assert.deepEqual(kernel.objects(), before);
  assert.deepEqual(testbed.store.peers(), []);
  await assert.rejects(testbed.networks.peer('server2'), refuses('not-found', /^peer server2 not found$/));
  await assert.rejects(testbed.networks.removePeer('server2'), refuses('not-found', /^peer server2 not found$/));
});

test('packet counters are sampled periodically, so that lastSeen survives a reset of the counters', async (t) => {
  await testbed.networks.close();
  t.mock.timers.enable({ apis: ['setInterval'] });
  await testbed.open().start([]);
  assert.equal((await testbed.networks.addPeer(server2)).lastSeen, undefined);
  kernel.counted.set('peer_packets_in_24 192.168.12.0', { packets: 3n, bytes: 252n });
  t.mock.timers.tick(15_000);
  await setImmediate();
  kernel.counted.clear(); // as if the rules were recreated before the next request
  const { packets, lastSeen } = await testbed.networks.peer('server2');
  assert.deepEqual([packets.in, lastSeen], [0n, 1_700_000_000_000_000_000n]);
});

test('a rejected peer and a failure at any step leave nothing', async () => {
  const before = kernel.objects();
  for (let step = 1; step <= 14; step += 1) {
    kernel.failAtStep(step);
    await assert.rejects(testbed.networks.addPeer(server2), /EIO/);
    assert.deepEqual(kernel.objects(), before);
    assert.deepEqual(testbed.store.peers(), []);
  }
  await testbed.networks.addPeer(server2);
  const full = kernel.objects();
  const other = { name: 'server3', address: '172.16.2.103', subnets: ['192.168.13.0/24'] };
  await assert.rejects(testbed.networks.addPeer(server2), refuses('conflict', /exists already/));
  await assert.rejects(
    testbed.networks.addPeer({ ...other, subnets: ['172.17.0.0/24'] }),
    refuses('conflict', /our own network/),
  );
  await assert.rejects(
    testbed.networks.addPeer({ ...other, address: '172.16.2.101' }),
    refuses('invalid', /of this host/),
  );
  await assert.rejects(
    testbed.networks.addPeer({ ...other, address: '9.9.9.9' }),
    refuses('invalid', /on no link of this host, and no route leads to it/),
  );
  assert.deepEqual(kernel.objects(), full);
});

test('a restarted daemon restores its peers and deletes those that are no longer configured', async () => {
  await testbed.networks.addPeer(server2);
  const expected = kernel.objects();
  await testbed.networks.close();
  kernel.vanish({ kind: 'route', to: '10.12.0.0/16' });
  await testbed.open().start([]);
  assert.deepEqual(new Set(kernel.objects()), new Set(expected));
  await testbed.networks.close();
  testbed.store.deletePeer('server2');
  await testbed.open().start([]);
  assert.deepEqual(routes(), []);
  assert.ok(!kernel.objects().some((object) => object.kind === 'nft-element' && object.set.startsWith('peer_paths')));
});

test('peers of the configuration are added at start and cannot be removed', async () => {
  await testbed.networks.close();
  const networks = testbed.open({ peers: [server2] });
  await networks.start([]);
  assert.deepEqual(routes(), server2.subnets);
  assert.equal((await networks.peer('server2')).origin, 'config');
  await assert.rejects(networks.removePeer('server2'), refuses('conflict', /configuration/));
  await networks.close();
  assert.throws(() => testbed.open({ peers: [server2, server2] }), refuses('conflict', /exists already/));
  await testbed.open().start([]);
  assert.deepEqual(routes(), []);
});

test('an uplink that is missing at start is reported, and the peer has no objects', async () => {
  await testbed.networks.addPeer(server2);
  await testbed.networks.close();
  kernel.vanish(uplink);
  const networks = testbed.open();
  await networks.start([]);
  const state = await networks.peer('server2');
  assert.match(state.problems[0] ?? '', /172\.16\.2\.102 is on no link of this host/);
  assert.deepEqual(routes(), []);
  assert.throws(() => networks.explain('server2'), refuses('conflict', /has no path/));
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
