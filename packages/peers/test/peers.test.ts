/** Tests peers on an in-memory kernel: failures roll back, and stored peers are restored at start. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { isNetyardError } from '@netyard/core';
import type { FakeKernel } from '@netyard/testkit';
import { fakeTestbed, routesOf, type Testbed, uplink } from './testbed.ts';

const server2 = { name: 'server2', address: '172.16.2.102', subnets: ['192.168.12.0/24', '10.12.0.0/16'] };

let testbed: Testbed<FakeKernel>;

beforeEach(async () => {
  testbed = fakeTestbed();
  await testbed.start();
});
afterEach(() => testbed.close());

const refuses = (code: string, message: RegExp) => (error: unknown) =>
  isNetyardError(error) && error.code === code && message.test(error.message);

const routes = (): string[] => routesOf(testbed.kernel);

test('a peer is added, listed, explained and removed without a trace', async () => {
  const before = testbed.kernel.objects();
  const planned = await testbed.peers.planAdd(server2);
  assert.equal(planned.length, 15);
  assert.deepEqual(testbed.kernel.objects(), before);
  const state = await testbed.peers.add(server2);
  assert.deepEqual(state.problems, []);
  assert.ok(state.open && state.routes.every(({ present }) => present));
  assert.deepEqual(await testbed.peers.states(), [state]);
  assert.deepEqual(
    testbed.peers.explain('server2').objects.map(({ kind }) => kind),
    ['vxlan', 'sysctl', 'address', 'sysctl', ...new Array(9).fill('nft-element'), 'route', 'route'],
  );
  assert.equal((await testbed.peers.planRemove('server2')).length, 12, 'address and sysctls go with their link');
  await testbed.peers.remove('server2');
  assert.deepEqual(testbed.kernel.forgottenSubnets, [...server2.subnets, ...server2.subnets]);
  assert.deepEqual(testbed.kernel.objects(), before);
  assert.deepEqual(testbed.store.peers(), []);
  await assert.rejects(testbed.peers.state('server2'), refuses('not-found', /^peer server2 not found$/));
  await assert.rejects(testbed.peers.remove('server2'), refuses('not-found', /^peer server2 not found$/));
});

test('packet counters are sampled periodically, so that lastSeen survives a reset of the counters', async (t) => {
  await testbed.peers.close();
  t.mock.timers.enable({ apis: ['setInterval'] });
  testbed.open();
  await testbed.start();
  assert.equal((await testbed.peers.add(server2)).lastSeen, undefined);
  testbed.kernel.counted.set('peer_packets_in_24 192.168.12.0', { packets: 3n, bytes: 252n });
  t.mock.timers.tick(15_000);
  await setImmediate();
  testbed.kernel.counted.clear(); // as if the rules were recreated before the next request
  const { packets, lastSeen } = await testbed.peers.state('server2');
  assert.deepEqual([packets.in, lastSeen], [0n, 1_700_000_000_000_000_000n]);
});

test('a rejected peer and a failure at any step leave nothing', async () => {
  const before = testbed.kernel.objects();
  for (let step = 1; step <= 14; step += 1) {
    testbed.kernel.failAtStep(step);
    await assert.rejects(testbed.peers.add(server2), /EIO/);
    assert.deepEqual(testbed.kernel.objects(), before);
    assert.deepEqual(testbed.store.peers(), []);
  }
  await testbed.peers.add(server2);
  const full = testbed.kernel.objects();
  const other = { name: 'server3', address: '172.16.2.103', subnets: ['192.168.13.0/24'] };
  await assert.rejects(testbed.peers.add(server2), refuses('conflict', /exists already/));
  await assert.rejects(
    testbed.peers.add({ ...other, subnets: ['172.17.0.0/24'] }),
    refuses('conflict', /our own network/),
  );
  await assert.rejects(testbed.peers.add({ ...other, address: '172.16.2.101' }), refuses('invalid', /of this host/));
  await assert.rejects(
    testbed.peers.add({ ...other, address: '9.9.9.9' }),
    refuses('invalid', /on no link of this host, and no route leads to it/),
  );
  assert.deepEqual(testbed.kernel.objects(), full);
});

test('a restarted daemon restores its peers and deletes those that are no longer configured', async () => {
  await testbed.peers.add(server2);
  const expected = testbed.kernel.objects();
  await testbed.peers.close();
  testbed.kernel.vanish({ kind: 'route', to: '10.12.0.0/16' });
  testbed.open();
  await testbed.start();
  assert.deepEqual(new Set(testbed.kernel.objects()), new Set(expected));
  await testbed.peers.close();
  testbed.store.deletePeer('server2');
  testbed.open();
  await testbed.start();
  assert.deepEqual(routes(), []);
  assert.ok(
    !testbed.kernel.objects().some((object) => object.kind === 'nft-element' && object.set.startsWith('peer_ingress')),
  );
});

test('peers of the configuration are added at start and cannot be removed', async () => {
  await testbed.peers.close();
  const peers = testbed.open({ configured: [server2] });
  await testbed.start();
  assert.deepEqual(routes(), server2.subnets);
  assert.equal((await peers.state('server2')).origin, 'config');
  await assert.rejects(peers.remove('server2'), refuses('conflict', /configuration/));
  await peers.close();
  assert.throws(() => testbed.open({ configured: [server2, server2] }), refuses('conflict', /exists already/));
  testbed.open();
  await testbed.start();
  assert.deepEqual(routes(), []);
});

test('an uplink that is missing at start is reported, and the peer has no objects', async () => {
  await testbed.peers.add(server2);
  await testbed.peers.close();
  testbed.kernel.vanish(uplink);
  const peers = testbed.open();
  await testbed.start();
  const state = await peers.state('server2');
  assert.match(state.problems[0] ?? '', /172\.16\.2\.102 is an IPv4 address, but this host has none/);
  assert.deepEqual(routes(), []);
  assert.throws(() => peers.explain('server2'), refuses('conflict', /has no path/));
});

test('a tunnel in use limits the MTU of containers until its last peer is removed', async () => {
  testbed.kernel.appear({ kind: 'route', to: 'default', via: '172.16.0.1', link: 'eth0' });
  await testbed.peers.add(server2);
  assert.deepEqual([testbed.peers.mtuLimit, testbed.limits], [undefined, []], 'a route needs no limit');
  const far = { name: 'far', address: '198.51.100.2', subnets: ['10.77.0.0/16'] };
  await testbed.peers.planAdd(far);
  assert.deepEqual([testbed.peers.mtuLimit, testbed.limits], [undefined, []], 'a dry run applies none');
  await testbed.peers.add(far);
  assert.deepEqual([testbed.peers.mtuLimit, testbed.limits], [1450, [1450]]);
  await testbed.peers.planRemove('far');
  assert.deepEqual([testbed.peers.mtuLimit, testbed.limits], [1450, [1450]]);
  await testbed.peers.remove('far');
  assert.deepEqual([testbed.peers.mtuLimit, testbed.limits], [undefined, [1450, undefined]]);
});
