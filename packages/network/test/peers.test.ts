/** Peers on a kernel in memory: nothing stays of a failure, and what was written down is found again. */
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

test('added, told of, explained, removed without trace', async () => {
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

test('packets are looked for unasked, so that one question tells when a peer was seen', async (t) => {
  await testbed.networks.close();
  t.mock.timers.enable({ apis: ['setInterval'] });
  await testbed.open().start([]);
  assert.equal((await testbed.networks.addPeer(server2)).lastSeen, undefined);
  kernel.counted.set('peer_packets_in_24 192.168.12.0', { packets: 3n, bytes: 252n });
  t.mock.timers.tick(15_000);
  await setImmediate();
  kernel.counted.clear(); // the rules are made anew, before anybody asks
  const { packets, lastSeen } = await testbed.networks.peer('server2');
  assert.deepEqual([packets.in, lastSeen], [0n, 1_700_000_000_000_000_000n]);
});

test('a refusal or a failure at any step leaves nothing', async () => {
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

test('a daemon that comes back finds its peers, and clears away those that are no longer wanted', async () => {
  await testbed.networks.addPeer(server2);
  const wanted = kernel.objects();
  await testbed.networks.close();
  kernel.vanish({ kind: 'route', to: '10.12.0.0/16' });
  await testbed.open().start([]);
  assert.deepEqual(new Set(kernel.objects()), new Set(wanted));
  await testbed.networks.close();
  testbed.store.deletePeer('server2');
  await testbed.open().start([]);
  assert.deepEqual(routes(), []);
  assert.ok(!kernel.objects().some((object) => object.kind === 'nft-element' && object.set.startsWith('peer_paths')));
});

test('peers of the configuration', async () => {
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

test('an uplink that is away when the daemon starts is told of, and nothing of the peer is there', async () => {
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

test('cleanup finds routes without any state', async () => {
  await testbed.networks.addPeer(server2);
  await testbed.networks.close();
  testbed.store.deletePeer('server2');
  kernel.appear({ kind: 'route', to: '10.99.0.0/16', via: '172.16.2.9', link: 'eth0' });
  const removed = await testbed.open().cleanup({ dryRun: false });
  assert.ok(removed.includes('route 192.168.12.0/24'));
  assert.deepEqual(routes(), ['10.99.0.0/16']);
});
