/** Networks of the cluster as this host follows them, on a kernel in memory: create, parts, names, remove, problems. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { FakeKernel } from '@netyard/testkit';
import type { ClusterNetwork, NewClusterNetwork } from '../src/index.ts';
import { FakeDirectory } from './fake-directory.ts';
import { refuses } from './fake-testbed.ts';
import { on, Testbed } from './testbed.ts';

const back: ClusterNetwork = {
  ...{
    id: 'b'.repeat(64),
    name: 'back',
    created: 1n,
    internal: false,
    attachable: true,
    options: {},
    labels: { x: 'y' },
  },
  ...{ subnet: '10.128.0.0/16', partSize: 24, part: '10.128.7.0/24' },
};
/** The same with IPv6. */
const dual: ClusterNetwork = { ...back, ipv6: { subnet: 'fd00:5::/48', partSize: 64, part: 'fd00:5:0:7::/64' } };
const host = { name: 'server2', address: '172.16.2.102', subnets: ['192.168.12.0/24'] };
const part = { name: 'server2/back', address: host.address, subnets: ['10.128.9.0/24'], network: 'back' };
const onBack = on('back');

let kernel: FakeKernel;
let testbed: Testbed;
let directory: FakeDirectory;
let requested: (NewClusterNetwork | string)[];

beforeEach(async () => {
  kernel = new FakeKernel();
  kernel.appear({ kind: 'address', link: 'eth0', prefix: '172.16.2.101/16' });
  kernel.appear({ kind: 'route', to: 'fd00:7::/48', via: 'fe80::1', link: 'eth0' });
  directory = new FakeDirectory('server1');
  requested = [];
  const clusterNetworks = {
    async create(request: NewClusterNetwork) {
      requested.push(request);
      return back.id;
    },
    async remove(id: string) {
      requested.push(id);
    },
  };
  const openListener = (): never => {
    throw new Error('no sockets in memory');
  };
  testbed = new Testbed({ kernel, adapters: { directory, clusterNetworks, openListener } });
  await testbed.networks.start([]);
});
afterEach(() => testbed.close());

const texts = (): string[] =>
  kernel
    .objects()
    .map((object) => JSON.stringify(object))
    .sort();
const withoutTables = (all: string[]): string[] => all.filter((text) => !text.includes('"kind":"nft-table"'));
const set = (...networks: ClusterNetwork[]) => testbed.networks.setClusterNetworks(networks);
const problems = async (...networks: ClusterNetwork[]) => (await set(...networks)).map(({ problem }) => problem);
const has = (name: string): boolean => testbed.networks.list().some((record) => record.name === name);

test('a network of the cluster is a bridge with this host’s part, outlives a restart, and is removed without a trace', async () => {
  const before = withoutTables(texts());
  assert.deepEqual(await set({ ...back, part: undefined } as unknown as ClusterNetwork), [], 'without a part it waits');
  assert.ok(!has('back'));
  assert.deepEqual(await set(back), []);
  const record = testbed.networks.get('back');
  assert.deepEqual(record.ipam.v4, [{ subnet: '10.128.7.0/24', gateway: '10.128.7.1' }]);
  assert.deepEqual(record.cluster, { subnet: '10.128.0.0/16', partSize: 24 });
  assert.deepEqual([record.id, record.driver, record.labels, record.created], [back.id, 'overlay', back.labels, 1n]);
  assert.equal(testbed.events.at(-1)?.action, 'create');
  const made = texts();
  assert.deepEqual(await set(back), []);
  assert.deepEqual(texts(), made, 'a second time changes nothing');
  await testbed.networks.close();
  await testbed.open().start([]);
  assert.deepEqual(texts(), made);
  await assert.rejects(
    testbed.networks.create({
      name: 'x',
      driver: 'bridge',
      ipam: { driver: 'default', v4: [{ subnet: '10.128.200.0/24' }] },
    }),
    refuses('forbidden', /overlaps/),
  );
  assert.deepEqual(await set(), []);
  assert.deepEqual(withoutTables(texts()), before);
  assert.equal(testbed.events.at(-1)?.action, 'destroy');
});

test('a network with IPv6 has this host’s part of both subnets, whose whole subnets others avoid', async () => {
  assert.deepEqual(await set({ ...dual, parts: [] } as ClusterNetwork), []);
  const record = testbed.networks.get('back');
  assert.deepEqual(record.ipam.v4, [{ subnet: '10.128.7.0/24', gateway: '10.128.7.1' }]);
  assert.deepEqual(record.ipam.v6, [{ subnet: 'fd00:5:0:7::/64', gateway: 'fd00:5:0:7::1' }]);
  assert.deepEqual(record.cluster, {
    ...{ subnet: '10.128.0.0/16', partSize: 24, ipv6: { subnet: 'fd00:5::/48', partSize: 64 } },
  });
  assert.ok(!('parts' in record), 'those of other hosts are not stored');
  const made = texts();
  await testbed.networks.close();
  await testbed.open().start([]);
  assert.deepEqual(await set(dual), []);
  assert.deepEqual(texts(), made);
  await assert.rejects(
    testbed.networks.create({ name: 'x', driver: 'bridge', ipam: { v4: [], v6: [{ subnet: 'fd00:5:0:ff::/64' }] } }),
    refuses('forbidden', /overlaps/),
  );
  assert.deepEqual(await set(), []);
  assert.ok(!texts().some((text) => /fd00:5|10\.128|br-bbb/.test(text)));
});

test('a network gets IPv6 when no container uses it any more', async () => {
  await set(back);
  const { containerId } = await testbed.run('web', onBack);
  assert.deepEqual(await problems(dual), [
    'the cluster gave this host another part (10.128.7.0/24, fd00:5:0:7::/64) while containers use it here: web',
  ]);
  await testbed.networks.release(containerId);
  assert.deepEqual(await problems(dual), []);
  assert.equal(testbed.networks.get('back').ipam.v6?.[0]?.subnet, 'fd00:5:0:7::/64');
});

test('a network in use stays until it is not, and gets another part only then', async () => {
  await set(back);
  const { containerId } = await testbed.run('web', onBack);
  assert.deepEqual(await problems(), ['the cluster removed it while containers use it here: web']);
  assert.deepEqual(await problems({ ...back, part: '10.128.8.0/24' }), [
    'the cluster gave this host another part (10.128.8.0/24) while containers use it here: web',
  ]);
  assert.equal(testbed.networks.get('back').ipam.v4?.[0]?.subnet, '10.128.7.0/24');
  await testbed.networks.release(containerId);
  assert.deepEqual(await problems({ ...back, part: '10.128.8.0/24' }), []);
  assert.equal(testbed.networks.get('back').ipam.v4?.[0]?.subnet, '10.128.8.0/24');
});

test('a conflict with this host is a problem until it is gone, and does not affect other networks', async () => {
  await testbed.networks.create({ name: 'back', driver: 'bridge' });
  const other = { ...back, id: 'c'.repeat(64), name: 'other', subnet: '172.16.0.0/16', part: '172.16.9.0/24' };
  const third = { ...back, id: 'd'.repeat(64), name: 'third' };
  assert.deepEqual(await problems(back, other, third), [
    'this host has another network of the name back',
    'its subnet 172.16.0.0/16 overlaps with a route or an address of this host',
  ]);
  assert.ok(has('third'));
  await testbed.networks.remove('back');
  assert.deepEqual(await problems(back), []);
  assert.equal(testbed.networks.get('back').driver, 'overlay');
});

test('a record that no host of the cluster would have written is a problem and changes nothing', async () => {
  const before = texts();
  for (const [more, problem] of [
    [{ options: { 'com.docker.network.bridge.name': 'eth0' } }, /bridge\.name is for bridge networks/],
    [{ options: { 'com.docker.network.driver.mtu': '-1' } }, /^invalid MTU number: -1$/],
    [{ options: { encrypted: 'true' } }, /option encrypted of overlay networks is not implemented/],
    [{ name: 'default' }, /the name default is reserved/],
    [{ part: '10.129.7.0/24' }, /^10\.129\.7\.0\/24 is no part of its subnet 10\.128\.0\.0\/16 for a host$/],
    [{ part: '10.128.0.0/16' }, /is no part/],
    [{ part: '10.128.7.9/24' }, /is no part/],
    [
      { ipv6: { subnet: 'fd00:5::/48', partSize: 64, part: 'fd00:6:0:7::/64' } },
      /^fd00:6:0:7::\/64 is no part of its subnet fd00:5::\/48/,
    ],
    [{ ipv6: { subnet: 'fd00:5::/48', partSize: 64, part: 'fd00:5::/48' } }, /is no part/],
    [{ ipv6: { subnet: 'fd00:5::/48', partSize: 64 } }, /is no part/],
  ] as const) {
    assert.match((await problems({ ...back, ...more })).join(), problem);
    assert.deepEqual(texts(), before);
  }
});

test('another host’s part is routed like its containers, from the network’s own address', async () => {
  await set(back);
  const before = texts();
  await testbed.networks.setClusterPeers([host]);
  const peerOnly = texts();
  assert.deepEqual(await testbed.networks.setClusterPeers([host, part]), []);
  const made = kernel.objects().filter((object) => !peerOnly.includes(JSON.stringify(object)));
  assert.deepEqual(
    made.flatMap((object) => (object.kind === 'route' ? [[object.to, object.via, object.source]] : [])),
    [['10.128.9.0/24', host.address, '10.128.7.1']],
  );
  assert.deepEqual(
    new Set(made.map(({ kind }) => kind)),
    new Set(['route', 'nft-element']),
    'the tunnel is the peer’s',
  );
  assert.equal(testbed.networks.topology().nodes.filter(({ kind }) => kind === 'peer').length, 1);
  await assert.rejects(testbed.networks.removePeer('server2/back'), refuses('conflict', /is a part of network back/));
  await testbed.networks.setClusterPeers([host]);
  assert.deepEqual(texts(), peerOnly);
  await testbed.networks.setClusterPeers([]);
  assert.deepEqual(texts(), before);
});

test('a part with IPv6 has the tunnel to its host, whose own subnets keep their route', async () => {
  await set(dual);
  const objects = (): string[] => texts().filter((text) => !text.includes('net.ipv6.conf.ny-vxlan.'));
  const before = objects();
  await testbed.networks.setClusterPeers([host]);
  const peerOnly = objects();
  const both = { ...part, subnets: ['10.128.9.0/24', 'fd00:5:0:9::/64'] };
  assert.deepEqual(await testbed.networks.setClusterPeers([host, both]), []);
  const made = kernel.objects().filter((object) => !peerOnly.includes(JSON.stringify(object)));
  assert.deepEqual(
    made.flatMap((object) => (object.kind === 'route' ? [[object.to, object.via, object.link, object.source]] : [])),
    [
      ['10.128.9.0/24', host.address, 'ny-vxlan', '10.128.7.1'],
      ['fd00:5:0:9::/64', 'fe80::ac10:266', 'ny-vxlan', 'fd00:5:0:7::1'],
    ],
  );
  assert.deepEqual(
    made.flatMap((object) => (object.kind === 'neighbour' ? [object.address] : [])),
    [host.address, 'fe80::ac10:266'],
  );
  assert.equal(made.filter(({ kind }) => kind === 'fdb').length, 1);
  assert.ok(texts().some((text) => text.includes('"to":"192.168.12.0/24"') && text.includes('"link":"eth0"')));
  const explained = testbed.networks
    .explain('server2/back')
    .objects.map((object) => JSON.stringify(object))
    .join('\n');
  for (const text of ['"kind":"fdb"', '"fe80::ac10:266"', '"fd00:5:0:9::/64"', '"kind":"vxlan"'])
    assert.ok(explained.includes(text), text);

  const other = { ...dual, id: 'c'.repeat(64), name: 'other', subnet: '10.129.0.0/16', part: '10.129.7.0/24' };
  await set(dual, { ...other, ipv6: { subnet: 'fd00:6::/48', partSize: 64, part: 'fd00:6:0:7::/64' } });
  const second = { ...part, name: 'server2/other', subnets: ['fd00:6:0:9::/64'], network: 'other' };
  await testbed.networks.setClusterPeers([host, both, second]);
  const count = (kind: string): number => kernel.objects().filter((object) => object.kind === kind).length;
  assert.deepEqual([count('fdb'), count('neighbour')], [1, 2], 'shared by the networks');
  await testbed.networks.setClusterPeers([host, second]);
  assert.deepEqual([count('fdb'), count('neighbour')], [1, 2], 'until the last one is gone');
  await set(dual);
  await testbed.networks.setClusterPeers([host]);
  assert.deepEqual(objects(), peerOnly);
  await testbed.networks.setClusterPeers([]);
  assert.deepEqual(objects(), before);
});

test('a part is refused without its network, its host, or inside the network', async () => {
  const refused = async (...requests: Parameters<typeof testbed.networks.setClusterPeers>[0][number][]) =>
    (await testbed.networks.setClusterPeers(requests)).map(({ name, problem }) => `${name}: ${problem}`);
  assert.deepEqual(await refused(host, part), ['server2/back: this host has no network back of the cluster']);
  await set(back);
  assert.deepEqual(await refused(part), ['server2/back: no peer has the address 172.16.2.102']);
  assert.deepEqual(await refused(host, { ...part, subnets: ['10.129.9.0/24'] }), [
    'server2/back: 10.129.9.0/24 is no part of network back (10.128.0.0/16)',
  ]);
  assert.match(
    (await refused(host, { ...part, subnets: ['10.128.7.0/25'] })).join(),
    /overlaps with our own network back/,
  );
  assert.match((await refused({ ...host, subnets: ['10.128.9.0/24'] })).join(), /overlaps with our own network back/);
  assert.deepEqual(await refused(host, part), []);
});

test('this host publishes its containers on the network with all their names, and those of other hosts end with them', async () => {
  await set(back);
  const { containerId } = await testbed.run('web', {
    ...onBack,
    endpoints: [{ network: 'back', aliases: ['app'] }],
  });
  await testbed.run('plain');
  const [own, ...more] = directory.publishedEndpoints;
  assert.deepEqual(more, []);
  assert.deepEqual(
    { ...own, names: [] },
    { networkId: back.id, containerId, name: 'web', address: '10.128.7.2', names: [] },
  );
  assert.deepEqual(
    ['web', 'app', containerId.slice(0, 12)].filter((name) => !own?.names.includes(name)),
    [],
  );
  await testbed.networks.release(containerId);
  assert.deepEqual(directory.publishedEndpoints, []);
  await set();
  await set(dual);
  await testbed.run('six', onBack);
  assert.deepEqual(
    directory.publishedEndpoints.map(({ address, ipv6Address }) => [address, ipv6Address]),
    [['10.128.7.2', 'fd00:5:0:7::2']],
  );
});

test('create and remove go to the cluster; without one they are rejected or local', async () => {
  const create = { name: 'back', driver: 'bridge', scope: 'cluster', options: { 'netyard.subnet-size': '26' } };
  assert.deepEqual(await testbed.networks.create(create), { id: back.id, warnings: [] });
  const [request] = requested;
  assert.ok(typeof request === 'object');
  assert.deepEqual([request.name, request.partSize, request.subnet], ['back', 26, undefined]);
  assert.ok(request.isTaken('172.16.0.0/16') && !request.isTaken('10.128.0.0/16'));
  assert.equal(request.ipv6, undefined);
  await testbed.networks.create({ ...create, enable: { v6: true } });
  const { 1: six } = requested;
  assert.ok(typeof six === 'object');
  assert.deepEqual(six.ipv6, {});
  assert.ok(six.isTaken('fd00:7:0:1::/64') && !six.isTaken('fd00:5::/48'));
  const pools = (...subnets: string[]) => ({ v4: [], v6: subnets.map((subnet) => ({ subnet })) });
  await testbed.networks.create({ ...create, ipam: pools('fd00:5::/48') });
  assert.deepEqual((requested[2] as NewClusterNetwork).ipv6, { subnet: 'fd00:5::/48' });
  await assert.rejects(
    testbed.networks.create({ ...create, ipam: pools('fd00:7:0:1::/64') }),
    refuses('forbidden', /^subnet fd00:7:0:1::\/64 overlaps with a route or an address of this host$/),
  );
  const overlay = { name: 'x', driver: 'overlay' };
  await assert.rejects(
    testbed.networks.create({ ...overlay, driver: 'macvlan', scope: 'cluster' }),
    refuses('invalid', /scope cluster/),
  );
  await assert.rejects(
    testbed.networks.create({ ...overlay, scope: 'local' }),
    refuses('invalid', /scope cluster, not local/),
  );
  await assert.rejects(
    testbed.networks.planCreate(overlay),
    refuses('not-implemented', /^dry runs of networks of the cluster/),
  );
  await set(back);
  await assert.rejects(testbed.networks.create({ ...overlay, name: 'back' }), refuses('conflict', /already exists/));
  await testbed.networks.remove('back');
  assert.deepEqual(requested.slice(3), [back.id]);
  const { containerId } = await testbed.run('web', onBack);
  await assert.rejects(testbed.networks.remove('back'), refuses('forbidden', /has active endpoints \(name:"web"/));
  await testbed.networks.release(containerId);

  const alone = new Testbed({ kernel: new FakeKernel() });
  await alone.networks.start([]);
  await assert.rejects(
    alone.networks.create(overlay),
    refuses('unavailable', /^This node is not a swarm manager\. Use/),
  );
  await alone.networks.setClusterNetworks([back]);
  await alone.networks.remove('back');
  assert.ok(!alone.networks.list().some(({ name }) => name === 'back'));
  await alone.close();
});

test('a network of the cluster has the default options of its driver', async () => {
  await testbed.networks.close();
  const defaults = { overlay: { 'netyard.subnet-size': '25', 'com.docker.network.driver.mtu': '1400' } };
  await testbed.open({ defaultNetworkOptions: defaults }).start([]);
  const options = { 'com.docker.network.driver.mtu': '1300' };
  await testbed.networks.create({ name: 'back', driver: 'bridge', scope: 'cluster', options });
  const [request] = requested;
  assert.ok(typeof request === 'object');
  assert.deepEqual([request.partSize, request.options], [25, { ...defaults.overlay, ...options }]);
});
