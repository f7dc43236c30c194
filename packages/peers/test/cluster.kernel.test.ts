/** Tests a cluster of a thousand peers on a real kernel: all in one batch, and one more at the cost of one. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { openKernel } from '@netyard/kernel';
import { addUplink, eventually, inFreshHost, sh } from '@netyard/testkit';
import type { PeerRequest } from '../src/index.ts';
import { Testbed } from './testbed.ts';

const host = inFreshHost(import.meta.url);
const peer = (number: number): PeerRequest => ({
  name: `h${number}`,
  address: `10.9.${number >> 8}.${number & 255}`,
  subnets: [`10.${100 + (number >> 8)}.${number & 255}.0/24`],
});
const many = (count: number): PeerRequest[] => Array.from({ length: count }, (_, index) => peer(index + 1));

describe('a big cluster', host, () => {
  const kernel = openKernel();
  const testbed = new Testbed(kernel, { awaitsCluster: true });
  before(async () => {
    addUplink();
    sh('ip address add 10.9.200.1/16 dev up0');
    await testbed.start();
    testbed.watch();
  });
  after(async () => {
    await testbed.close();
    kernel.close();
  });

  const routes = (): number => sh('ip route show proto 78').split('\n').length - 1;
  const has = (number: number): boolean => sh(`ip route show ${peer(number).subnets[0]}`) !== '';
  const time = async (work: () => Promise<unknown>): Promise<number> => {
    const before = performance.now();
    await work();
    return performance.now() - before;
  };

  test('a thousand peers are added at once; then one is added and one is removed', async (t) => {
    t.diagnostic(`1000 hosts: ${(await time(() => testbed.peers.setClusterPeers(many(1000)))).toFixed(0)} ms`);
    assert.equal(routes(), 1000);
    for (const count of [1001, 1002, 1003, 1004, 1005])
      t.diagnostic(`one more: ${(await time(() => testbed.peers.setClusterPeers(many(count)))).toFixed(1)} ms`);
    t.diagnostic(`one less: ${(await time(() => testbed.peers.setClusterPeers(many(1004)))).toFixed(1)} ms`);
    assert.equal(routes(), 1004);
    assert.ok(!has(1005) && has(1004));
    assert.doesNotMatch(sh('nft list set ip netyard peer_ingress_24'), /"peer h1005"/);
    t.diagnostic(`peer ls: ${(await time(() => testbed.peers.states())).toFixed(0)} ms`);
    const states = await testbed.peers.states();
    assert.deepEqual(
      states.filter(({ problems }) => problems.length > 0),
      [],
    );
  });

  test('a deleted route and a deleted set element are restored', async () => {
    sh(`ip route delete ${peer(500).subnets[0]}`);
    await eventually('the route is back', () => has(500));
    sh(`nft 'delete element ip netyard peer_ingress_24 { "up0" . ${peer(501).subnets[0]?.replace('/24', '')} }'`);
    const listed = (): boolean => sh('nft list set ip netyard peer_ingress_24').includes('"peer h501"');
    await eventually('the element is back', listed);
  });

  test('all peers are restored after a flush of the rules and after the uplink was down', async (t) => {
    const open = (): number =>
      sh('nft list set ip netyard peer_ingress_24 2>/dev/null || true').split('"up0" . ').length - 1;
    const before = performance.now();
    sh('nft flush ruleset');
    await eventually('the elements are back', () => open() === 1004);
    t.diagnostic(`flush ruleset: ${(performance.now() - before).toFixed(0)} ms`);
    const again = performance.now();
    sh('ip link set up0 down; ip link set up0 up');
    await eventually('the routes are back', () => routes() === 1004);
    t.diagnostic(`uplink down and up: ${(performance.now() - again).toFixed(0)} ms`);
  });

  test('no peer remains after all are removed', async () => {
    await testbed.peers.setClusterPeers([]);
    assert.equal(routes(), 0);
    assert.doesNotMatch(sh('nft list ruleset'), /peer h/);
  });
});
