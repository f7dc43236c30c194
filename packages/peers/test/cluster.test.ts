/**
 * Tests peers that the cluster announces, on an in-memory kernel: only differences are applied, only invalid ones are
 * rejected.
 */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { FakeKernel } from '@netyard/testkit';
import type { PeerRequest } from '../src/index.ts';
import { fakeTestbed, routesOf, type Testbed } from './testbed.ts';

const host = (number: number): PeerRequest => ({
  name: `h${number}`,
  address: `172.16.${10 + (number >> 8)}.${number & 255}`,
  subnets: [`192.${168 + (number >> 8)}.${number & 255}.0/24`],
});

let testbed: Testbed<FakeKernel>;

beforeEach(async () => {
  testbed = fakeTestbed({ awaitsCluster: true });
  await testbed.start();
});
afterEach(() => testbed.close());

const routes = (): string[] => routesOf(testbed.kernel);

test('adding or removing one peer of many touches only its objects', async () => {
  const hosts = [1, 2, 3, 4].map(host);
  assert.deepEqual(await testbed.peers.setClusterPeers(hosts), []);
  assert.deepEqual(
    routes(),
    hosts.flatMap(({ subnets }) => subnets),
  );
  testbed.kernel.done.length = 0;
  await testbed.peers.setClusterPeers(hosts);
  assert.deepEqual(testbed.kernel.done, []);
  await testbed.peers.setClusterPeers([...hosts, host(5)]);
  const touched = () =>
    testbed.kernel.done.flatMap(({ action, object }) => (object.kind === 'route' ? [action, object.to] : []));
  assert.deepEqual(touched(), ['create', '192.168.5.0/24']);
  testbed.kernel.done.length = 0;
  testbed.kernel.forgottenSubnets.length = 0;
  await testbed.peers.setClusterPeers([host(1), host(3), host(4), host(5)]);
  assert.deepEqual(touched(), ['delete', '192.168.2.0/24']);
  assert.deepEqual(testbed.kernel.forgottenSubnets, ['192.168.2.0/24']);
  assert.equal((await testbed.peers.state('h1')).origin, 'cluster');
  assert.deepEqual(testbed.store.peers(), [], 'they are persisted by the cluster, not by the store');
  await assert.rejects(testbed.peers.remove('h1'), /is a host of the cluster/);
});

test('a changed announcement replaces the previous one', async () => {
  await testbed.peers.setClusterPeers([host(1), host(2)]);
  await testbed.peers.setClusterPeers([host(1), { ...host(2), subnets: ['192.168.99.0/24'] }]);
  assert.deepEqual(routes().sort(), ['192.168.1.0/24', '192.168.99.0/24']);
});

test('invalid announcements are rejected and reported one by one; valid ones are accepted, also after a correction', async () => {
  await testbed.peers.add({ name: 'stored', address: '172.16.2.50', subnets: ['10.50.0.0/16'] });
  testbed.kernel.appear({ kind: 'route', to: '10.60.0.0/16', via: '172.16.0.1', link: 'eth0' });
  const errors: [Partial<PeerRequest>, RegExp][] = [
    [{ subnets: ['172.17.0.0/24'] }, /our own network bridge/],
    [{ subnets: ['0.0.0.0/0'] }, /is too large for a peer's subnet/],
    [{ subnets: ['172.16.0.0/16'] }, /contains the peer's own address/],
    [{ subnets: ['10.60.3.0/24'] }, /the host's route 10\.60\.0\.0\/16/],
    [{ subnets: ['192.168.1.128/25'] }, /overlaps with 192\.168\.1\.0\/24 of peer h1/],
    [{ subnets: ['10.50.1.0/24'] }, /of peer stored/],
    [{ address: '172.16.2.101' }, /is an address of this host/],
    [{ address: '172.16.10.1' }, /is the address of peer h1 already/],
    [{ address: '172.17.0.9' }, /is in our own network bridge/],
    [{ name: 'stored' }, /exists already/],
    [{ subnets: [] }, /has no subnet/],
  ];
  const invalid = errors.map(([error], index) => ({ ...host(20 + index), ...error }));
  await testbed.peers.setClusterPeers([]);
  const refused = await testbed.peers.setClusterPeers([host(1), ...invalid, host(2)]);
  assert.deepEqual(
    refused.map(({ name }) => name),
    invalid.map(({ name }) => name),
  );
  for (const [index, { problem }] of refused.entries()) assert.match(problem, errors[index]?.[1] ?? /never/);
  assert.deepEqual(routes().sort(), ['10.50.0.0/16', '192.168.1.0/24', '192.168.2.0/24']);
  assert.deepEqual(
    testbed.refusals,
    refused.map(({ name, problem }) => `${name}: ${problem}`),
  );
  const listed = (await testbed.peers.states()).filter(({ problems }) => problems.length > 0);
  assert.equal(listed.length, invalid.length, 'peer ls shows them');
  await testbed.peers.setClusterPeers([host(1), ...invalid, host(2)]);
  assert.equal(testbed.refusals.length, invalid.length, 'reported once');
  assert.deepEqual(await testbed.peers.setClusterPeers([host(1), host(2), host(20)]), []);
  assert.ok(routes().includes('192.168.20.0/24'));
});

test('a rejected peer is accepted when the conflicting peer is removed', async () => {
  await testbed.peers.add({ name: 'stored', address: '172.16.2.50', subnets: ['192.168.1.0/24'] });
  assert.equal((await testbed.peers.setClusterPeers([host(1)])).length, 1);
  await testbed.peers.remove('stored');
  assert.deepEqual((await testbed.peers.state('h1')).problems, []);
  assert.deepEqual(routes(), ['192.168.1.0/24']);
});

test('a restarted daemon keeps the routes of cluster peers until the cluster announces them', async () => {
  await testbed.peers.setClusterPeers([host(1), host(2)]);
  await testbed.peers.close();
  const before = testbed.kernel.objects();
  testbed.open({ awaitsCluster: true });
  await testbed.start();
  assert.deepEqual(new Set(testbed.kernel.objects()), new Set(before));
  testbed.kernel.forgottenSubnets.length = 0;
  await testbed.peers.setClusterPeers([host(2), host(3)]);
  assert.deepEqual(routes().sort(), ['192.168.2.0/24', '192.168.3.0/24']);
  assert.ok(!JSON.stringify(testbed.kernel.objects()).includes('192.168.1.0'));
  await testbed.peers.close();
  testbed.open();
  await testbed.start();
  assert.deepEqual(routes(), [], 'without a cluster they are stale');
});

test('a peer whose objects the kernel rejects does not block another peer', async () => {
  await testbed.peers.setClusterPeers([]);
  testbed.kernel.failAtStep(2);
  await testbed.peers.setClusterPeers([host(1), host(2)]);
  assert.equal(routes().length, 2, 'the retry applies them one by one');
});

test('of sixty new peers, one that the kernel always rejects does not block the others', async () => {
  const hosts = Array.from({ length: 60 }, (_, index) => host(index + 1));
  await testbed.peers.setClusterPeers([]);
  const { kernel } = testbed;
  const apply = kernel.apply.bind(kernel);
  kernel.apply = (plan, options) =>
    JSON.stringify(plan).includes('"192.168.40.0/24"') ? Promise.reject(new Error('no')) : apply(plan, options);
  await testbed.peers.setClusterPeers(hosts);
  const expected = hosts.flatMap(({ subnets }) => subnets).filter((subnet) => subnet !== '192.168.40.0/24');
  assert.deepEqual(routes().toSorted(), expected.toSorted());
});
