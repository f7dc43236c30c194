/** Proxy entries of the neighbour table: a neighbour reaches an address behind this host; repair, rollback, removal. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type KernelObject, type NeighbourProxyObject, openKernel } from '@netyard/kernel';
import { inFreshHost, pings, sh } from '@netyard/testkit';

const host = await inFreshHost(import.meta.url);
const kernel = openKernel();
const proxy = (address: string): NeighbourProxyObject => ({
  ...{ kind: 'neighbour-proxy', link: 'up0', address, protocol: 78 },
});
const sysctl = (key: string, value: string): KernelObject => ({ kind: 'sysctl', key, value });
const plan = {
  owner: 'test',
  objects: [
    sysctl('net.ipv6.conf.up0.proxy_ndp', '1'),
    sysctl('net.ipv6.neigh.up0.proxy_delay', '0'),
    proxy('2001:db8::7'),
    proxy('2001:db8::8'),
  ],
};
const entries = (): string[] =>
  sh('ip -6 neighbour show proxy')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .sort();
const both = ['2001:db8::7 dev up0 proxy proto 78', '2001:db8::8 dev up0 proxy proto 78'];

before(() => {
  if (host.skip) return;
  // The container has an address of the uplink's prefix, behind a router without a route to it.
  sh(`ip netns add neighbour; ip netns add container
    ip link add up0 type veth peer name eth0 netns neighbour; ip link add br0 type veth peer name eth0 netns container
    for link in up0 br0; do ip link set $link up; done
    for ns in neighbour container; do ip -n $ns link set eth0 up; done
    ip address add 2001:db8::1/64 dev up0 nodad; ip -n neighbour address add 2001:db8::2/64 dev eth0 nodad
    ip -n container address add 2001:db8::7/128 dev eth0 nodad
    ip route add 2001:db8::7 dev br0; ip -n container route add default via $(ip -6 -o address show dev br0 scope link | awk '{ print $4 }' | cut -d/ -f1) dev eth0
    sysctl -qw net.ipv6.conf.all.forwarding=1`);
});
after(() => kernel.close());

test('a neighbour reaches an address behind the host; applying the plan again changes nothing', host, async () => {
  await kernel.apply(plan);
  assert.ok(pings('/run/netns/neighbour', '2001:db8::7'));
  assert.deepEqual(entries(), both);
  assert.deepEqual((await kernel.apply(plan)).operations, []);
  assert.deepEqual(
    (await kernel.listNeighbourProxies()).sort((a, b) => (a.address < b.address ? -1 : 1)),
    ['2001:db8::7', '2001:db8::8'].map((address) => ({ link: 'up0', address, protocol: 78 })),
  );
});

test('entries that another program or the kernel deleted are created again', host, async () => {
  sh('ip -6 neighbour delete proxy 2001:db8::7 dev up0');
  const { operations } = await kernel.apply(plan);
  assert.deepEqual(
    operations.map(({ action, object }) => [action, object]),
    [['create', proxy('2001:db8::7')]],
  );
  sh('ip link set up0 down; ip link set up0 up');
  assert.deepEqual(entries(), []);
  await kernel.apply(plan);
  assert.deepEqual(entries(), both);
});

test('a failed plan leaves no entry, a removed one only those of other programs', host, async () => {
  const failing: KernelObject[] = [proxy('2001:db8::9'), sysctl('net.ipv6.conf.up0.proxy_ndp', 'x')];
  await assert.rejects(kernel.apply({ owner: 'test', objects: failing }));
  assert.deepEqual(entries(), both);
  sh('ip -6 neighbour add proxy 2001:db8::a dev up0');
  const foreign = { owner: 'test', objects: [proxy('2001:db8::a')] };
  assert.deepEqual((await kernel.apply(foreign)).operations, [], 'it does as well');
  await kernel.remove(foreign);
  await kernel.remove(plan);
  assert.deepEqual(entries(), ['2001:db8::a dev up0 proxy']);
  await kernel.remove(plan);
});
