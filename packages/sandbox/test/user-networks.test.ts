/** Tests user-defined networks on a kernel in memory: create with its checks and rollback, remove, restart, dry runs. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { shortId } from '@netyard/core';
import type { FakeKernel } from '@netyard/testkit';
import type { CreateNetworkRequest, IpamPool, SandboxConfig } from '../src/index.ts';
import { openFakeTestbed, refuses, tcp } from './fake-testbed.ts';
import type { Testbed } from './testbed.ts';

let kernel: FakeKernel;
let testbed: Testbed;

beforeEach(async () => {
  ({ kernel, testbed } = await openFakeTestbed());
});
afterEach(() => testbed.close());

const requestOf = (name: string, pool?: IpamPool, more: Partial<CreateNetworkRequest> = {}): CreateNetworkRequest => ({
  ...{ name, driver: 'bridge', ...more },
  ...(pool === undefined ? {} : { ipam: { driver: 'default', v4: [pool] } }),
});
const create = (name: string, pool?: IpamPool, more: Partial<CreateNetworkRequest> = {}) =>
  testbed.networks.create(requestOf(name, pool, more));
const poolOf = (name: string): IpamPool | undefined => testbed.networks.get(name).ipam.v4?.[0];
const subnetOf = (name: string): string | undefined => poolOf(name)?.subnet;
const on = (network: string, v4?: string): Partial<SandboxConfig> => ({
  mode: { kind: 'network', ref: network },
  endpoints: [{ network, ...(v4 === undefined ? {} : { addresses: { v4 } }) }],
});
const texts = (): string[] => kernel.objects().map((object) => JSON.stringify(object));
/** The first network with a feature changes Netyard's tables, which stay so until the daemon's next start. */
const withoutTables = (all: string[]): string[] => all.filter((text) => !text.includes('"kind":"nft-table"'));
const bridgeName = 'com.docker.network.bridge.name';

describe('create', () => {
  test('a network has a bridge with the gateway, a record, an event, and explain prints it', async () => {
    const before = texts();
    const { id, warnings } = await create('front', undefined, { labels: { a: 'b' }, internal: false });
    assert.deepEqual(warnings, []);
    assert.match(id, /^[0-9a-f]{64}$/);
    const record = testbed.networks.get('front');
    assert.deepEqual([record.id, record.labels, record.predefined], [id, { a: 'b' }, false]);
    assert.deepEqual(record.ipam, { driver: 'default', v4: [{ subnet: '172.18.0.0/16', gateway: '172.18.0.1' }] });
    assert.deepEqual(testbed.store.networks().at(-1), record);
    const link = `br-${shortId(id)}`;
    const made = kernel.objects().filter((object) => !before.includes(JSON.stringify(object)));
    assert.ok(made.some((object) => object.kind === 'bridge' && object.name === link && object.up));
    assert.ok(made.some((object) => object.kind === 'address' && object.prefix === '172.18.0.1/16'));
    assert.deepEqual(testbed.events.at(-1), {
      ...{ type: 'network', action: 'create', networkId: id, networkName: 'front', driver: 'bridge' },
    });
    const explained = new Set(testbed.networks.explain('front').objects.map((object) => JSON.stringify(object)));
    assert.ok(made.every((object) => explained.has(JSON.stringify(object))));
  });

  test('subnets of concurrent creations differ; of one name only one is created', async () => {
    await Promise.all(['a', 'b', 'c'].map((name) => create(name)));
    assert.deepEqual(['a', 'b', 'c'].map(subnetOf), ['172.18.0.0/16', '172.19.0.0/16', '172.20.0.0/16']);
    const twice = await Promise.allSettled([create('d'), create('d')]);
    assert.deepEqual(
      twice.map(({ status }) => status),
      ['fulfilled', 'rejected'],
    );
    assert.equal(subnetOf('d'), '172.21.0.0/16');
  });

  test('an automatic subnet avoids routes of the host and subnets of peers', async () => {
    kernel.appear({ kind: 'route', to: '172.18.0.0/15', via: '10.0.0.1', link: 'eth0' });
    kernel.appear({ kind: 'address', link: 'eth0', prefix: '172.20.5.1/24' });
    kernel.appear({ kind: 'address', link: 'eth0', prefix: '192.0.2.1/24' });
    await testbed.networks.addPeer({ name: 'p', address: '192.0.2.9', subnets: ['172.21.3.0/24'] });
    await create('front');
    assert.equal(subnetOf('front'), '172.22.0.0/16');
    await assert.rejects(
      create('back', { subnet: '172.21.0.0/16' }),
      refuses('forbidden', 'subnet 172.21.0.0/16 overlaps with 172.21.3.0/24 of peer p'),
    );
  });

  test('pools and reserved prefixes are settings, and a pool that is used up is an error', async () => {
    await testbed.networks.close();
    const defaultAddressPools = [{ base: '10.9.0.0/28', size: 29 }];
    await testbed.open({ defaultAddressPools, reservedSubnets: ['10.9.0.0/30'] }).start([]);
    await create('front');
    assert.deepEqual(poolOf('front'), { subnet: '10.9.0.8/29', gateway: '10.9.0.9' });
    await assert.rejects(create('back'), refuses('invalid', 'all predefined address pools have been fully subnetted'));
  });

  test('gateway, ip-range, auxiliary addresses and a size are honoured', async () => {
    await create('a', { subnet: '10.5.0.0/24', range: '10.5.0.128/25', auxAddresses: { printer: '10.5.0.129' } });
    assert.equal(poolOf('a')?.gateway, '10.5.0.128');
    await create('b', { subnet: '10.6.0.0/24', gateway: '10.6.0.254' });
    await create('c', { subnet: '0.0.0.0/24' });
    assert.equal(subnetOf('c'), '172.18.0.0/24');
    const addressOn = async (network: string) =>
      (await testbed.run(`on-${network}`, on(network))).endpoints[0]?.addresses.v4;
    assert.deepEqual(await addressOn('a'), { address: '10.5.0.130', prefixLength: 24, gateway: '10.5.0.128' });
    assert.deepEqual(await addressOn('b'), { address: '10.6.0.1', prefixLength: 24, gateway: '10.6.0.254' });
  });

  const rejected: [string, CreateNetworkRequest, Parameters<typeof refuses>][] = [
    [
      'a predefined name, before invalid subnets',
      requestOf('default', { subnet: 'x' }),
      ['forbidden', 'operation is not permitted on predefined default network '],
    ],
    [
      'invalid subnets, before an empty name',
      requestOf('', { subnet: '10.0.0.1/24' }),
      ['invalid', 'invalid network config:\ninvalid subnet 10.0.0.1/24: it should be 10.0.0.0/24'],
    ],
    ['an empty name', requestOf(''), ['invalid', 'invalid name: name is empty']],
    [
      'an existing name, before an unknown driver',
      requestOf('taken', undefined, { driver: 'weave' }),
      ['conflict', 'network with name taken already exists'],
    ],
    ['an unknown driver', requestOf('n', undefined, { driver: 'weave' }), ['not-found', 'plugin "weave" not found']],
    [
      'an unknown IPAM driver',
      { name: 'n', driver: 'bridge', ipam: { driver: 'dhcp', v4: [] } },
      ['not-found', 'plugin "dhcp" not found'],
    ],
    [
      'an invalid option, before the subnet',
      requestOf('n', { subnet: '10.1.0.0/16' }, { options: { 'com.docker.network.bridge.enable_icc': 'x' } }),
      ['invalid', /^failed to parse com\.docker\.network\.bridge\.enable_icc value: x/],
    ],
    [
      'a second network of the driver host',
      requestOf('n', undefined, { driver: 'host' }),
      ['forbidden', 'only one instance of "host" network is allowed'],
    ],
    [
      'two subnets',
      { name: 'n', driver: 'bridge', ipam: { v4: [{ subnet: '10.8.0.0/24' }, { subnet: '10.9.0.0/24' }] } },
      ['forbidden', "bridge driver doesn't support multiple subnets"],
    ],
    ['no family', { name: 'n', driver: 'bridge', ipam: {} }, ['invalid', 'IPv4 or IPv6 must be enabled']],
    [
      'a multicast IPv6 subnet',
      { name: 'n', driver: 'bridge', ipam: { v6: [{ subnet: 'ff02:1::/64' }] } },
      ['invalid', "multicast subnet 'ff02:1::1/64' is not allowed"],
    ],
    [
      'a link-local IPv6 subnet',
      { name: 'n', driver: 'bridge', ipam: { v6: [{ subnet: 'fe80::/80' }] } },
      ['invalid', "'fe80::1/80' clashes with the Link-Local prefix 'fe80::/64'"],
    ],
    [
      'an IPv6 gateway outside of its subnet',
      { name: 'n', driver: 'bridge', ipam: { v6: [{ subnet: 'fd00:1::/64', gateway: 'fd00:2::1' }] } },
      [
        'invalid',
        "invalid network config:\ninvalid gateway fd00:2::1: parent subnet fd00:1::/64 doesn't contain this address",
      ],
    ],
    [
      "another network's subnet",
      requestOf('n', { subnet: '10.1.2.0/24' }),
      ['forbidden', 'invalid pool request: Pool overlaps with other one on this address space'],
    ],
    [
      "another network's subnet with an ip-range",
      requestOf('n', { subnet: '10.1.2.0/24', range: '10.1.2.128/25' }),
      [
        'forbidden',
        /^cannot create network [0-9a-f]{64} \(br-[0-9a-f]{12}\): conflicts with network [0-9a-f]{64} \(ny-taken\): networks have overlapping IPv4$/,
      ],
    ],
    [
      "another network's bridge",
      requestOf('n', undefined, { options: { [bridgeName]: 'ny-taken' } }),
      [
        'forbidden',
        /^cannot create network [0-9a-f]{64} \(ny-taken\): conflicts with network [0-9a-f]{64} \(ny-taken\): networks have same bridge name$/,
      ],
    ],
    ['the whole address space', requestOf('n', { subnet: '0.0.0.0/0' }), ['invalid', 'invalid address pool']],
    [
      'a reserved gateway',
      requestOf('n', { subnet: '10.2.0.0/24', gateway: '10.2.0.255' }),
      ['failed', 'failed to allocate gateway (10.2.0.255): Address already in use'],
    ],
    [
      'an interface that is no bridge',
      requestOf('n', undefined, { options: { [bridgeName]: 'eth0' } }),
      ['failed', 'existing interface eth0 is not a bridge'],
    ],
    [
      'an existing bridge with another address of the subnet',
      requestOf('n', { subnet: '10.9.0.0/24', gateway: '10.9.0.1' }, { options: { [bridgeName]: 'br9' } }),
      ['failed', 'bridge IPv4 (10.9.0.5) does not match requested configuration 10.9.0.1'],
    ],
  ];
  for (const [what, request, error] of rejected)
    test(`${what} is rejected, and changes nothing`, async () => {
      kernel.appear({ kind: 'bridge', name: 'br9', up: true });
      kernel.appear({ kind: 'address', link: 'br9', prefix: '10.9.0.5/24' });
      await create('taken', { subnet: '10.1.0.0/16' }, { options: { [bridgeName]: 'ny-taken' } });
      const before = texts();
      const networks = testbed.networks.list();
      await assert.rejects(testbed.networks.create(request), refuses(...error));
      assert.deepEqual(texts(), before);
      assert.deepEqual(testbed.networks.list(), networks);
      await assert.rejects(testbed.networks.planCreate(request), refuses(...error));
    });

  test('a failure at any step leaves nothing behind, and the name and subnet can be used at once', async () => {
    const before = texts();
    const steps = (await testbed.networks.planCreate(requestOf('front'))).length;
    assert.ok(steps > 4);
    for (let step = 1; step <= steps; step += 1) {
      kernel.failAtStep(step);
      await assert.rejects(create('front'), /EIO/, `step ${step}`);
      assert.deepEqual(texts(), before, `step ${step}`);
      assert.equal(testbed.store.networks().length, 3);
    }
    await create('front');
    assert.equal(subnetOf('front'), '172.18.0.0/16');
  });

  test('a network that cannot be stored is removed from the kernel again', async () => {
    const before = texts();
    const { putNetwork } = testbed.store;
    testbed.store.putNetwork = () => {
      throw new Error('disk full');
    };
    await assert.rejects(create('front'), /disk full/);
    testbed.store.putNetwork = putNetwork;
    assert.deepEqual(withoutTables(texts()), withoutTables(before));
    assert.throws(() => testbed.networks.get('front'), refuses('not-found', 'network front not found'));
  });

  test('endpoints of an internal network have no gateway, and no published ports', async () => {
    await create('inside', undefined, { internal: true });
    const { endpoints, ports } = await testbed.run('web', { ...on('inside'), ports: [tcp(8801)] });
    assert.deepEqual(endpoints[0]?.addresses.v4, { address: '172.18.0.2', prefixLength: 16 });
    assert.deepEqual(ports, []);
    assert.ok(!kernel.objects().some((object) => object.kind === 'route' && object.to === 'default'));
  });
});

describe('configuration-only networks', () => {
  const configuration = { driver: 'default', v4: [{ subnet: '10.5.0.0/24', gateway: '10.5.0.9' }] };
  const options = { 'com.docker.network.driver.mtu': '1400' };
  const createConfig = () =>
    testbed.networks.create({ name: 'cfg', driver: 'bridge', ipam: configuration, options, configOnly: true });

  test('they have no objects and no addresses, and networks are created from them', async () => {
    const before = texts();
    await createConfig();
    assert.deepEqual(texts(), before);
    assert.deepEqual(testbed.networks.get('cfg').ipam, { driver: 'default' });
    // The subnet is still free.
    await testbed.networks.create({ name: 'front', driver: 'bridge', configFrom: 'cfg' });
    assert.equal(subnetOf('front'), '10.5.0.0/24');
    assert.match(texts().join(), /"kind":"bridge","name":"br-[^}]*"mtu":1400/);
    const [endpoint] = (await testbed.run('web', on('front'))).endpoints;
    assert.equal(endpoint?.addresses.v4?.gateway, '10.5.0.9');
    await testbed.networks.close();
    await testbed.open().start([]);
    assert.deepEqual(testbed.networks.get('cfg').configuration, configuration);
    assert.equal(testbed.networks.get('front').configFrom, 'cfg');
  });

  test('nothing connects to them, and they are removed after the networks created from them', async () => {
    const { id } = await createConfig();
    await testbed.networks.create({ name: 'front', driver: 'bridge', configFrom: 'cfg' });
    const reason = 'cannot create endpoint on configuration-only network';
    const { containerId } = await testbed.run('web', on('front'));
    await assert.rejects(
      testbed.networks.connect('cfg', containerId, { network: 'cfg' }),
      refuses('forbidden', reason),
    );
    const stopped = await testbed.create('stopped', on('cfg'));
    const failure = `failed to set up container networking: ${reason}`;
    await assert.rejects(testbed.start(stopped), refuses('forbidden', failure));
    kernel.appear({ kind: 'netns', path: '/run/netns/pod' });
    await assert.rejects(
      testbed.networks.endpoints.attach({ name: 'pod', network: 'cfg', netnsPath: '/run/netns/pod' }),
      refuses('forbidden', 'namespaces cannot be attached to network cfg'),
    );
    const inUse = 'error while removing network: configuration network "cfg" is in use';
    await assert.rejects(testbed.networks.remove(id), refuses('forbidden', inUse));
    await testbed.remove(containerId);
    await testbed.networks.remove('front');
    await testbed.networks.remove('cfg');
    assert.deepEqual(
      testbed.store.networks().map(({ name }) => name),
      ['bridge', 'host', 'none'],
    );
  });
});

describe('remove', () => {
  test('a removed network leaves nothing, and its subnet is used next', async () => {
    const before = texts();
    const { id } = await create('front', undefined, { options: { 'com.docker.network.bridge.enable_icc': 'false' } });
    assert.equal((await testbed.networks.remove(id.slice(0, 12))).id, id);
    assert.deepEqual(withoutTables(texts()), withoutTables(before));
    assert.equal(testbed.store.networks().length, 3);
    assert.deepEqual(testbed.events.at(-1), {
      ...{ type: 'network', action: 'destroy', networkId: id, networkName: 'front', driver: 'bridge' },
    });
    await create('back');
    assert.equal(subnetOf('back'), '172.18.0.0/16');
  });

  test('active endpoints of containers and namespaces block it', async () => {
    await create('front');
    const web = await testbed.run('web', on('front'));
    kernel.appear({ kind: 'netns', path: '/run/netns/pod' });
    const pod = await testbed.networks.endpoints.attach({ name: 'pod', network: 'front', netnsPath: '/run/netns/pod' });
    const listed = `name:"web" id:"${shortId(web.endpoints[0]?.id ?? '')}", name:"pod" id:"${shortId(pod.endpoint.id)}"`;
    const message = `error while removing network: network front has active endpoints (${listed})`;
    await assert.rejects(testbed.networks.remove('front'), refuses('forbidden', message));
    await testbed.networks.endpoints.detach('pod');
    await testbed.stop(web.containerId);
    await testbed.networks.remove('front');
  });

  test('a stopped container starts on a new network of the same name, with its static address reserved', async () => {
    const pool = { subnet: '10.5.0.0/24' };
    await create('front', pool);
    const web = await testbed.create('web', on('front', '10.5.0.2'));
    await testbed.networks.remove('front');
    assert.deepEqual(testbed.store.leases(testbed.networks.get('bridge').id), []);
    await assert.rejects(testbed.start(web), /failed to set up container networking: network front not found/);
    const { id } = await create('front', pool);
    const other = await testbed.run('other', on('front'));
    assert.equal(other.endpoints[0]?.addresses.v4?.address, '10.5.0.3');
    const [endpoint] = (await testbed.start(web)).endpoints;
    assert.deepEqual([endpoint?.networkId, endpoint?.addresses.v4?.address], [id, '10.5.0.2']);
  });

  test('a failure keeps the network', async () => {
    await create('front');
    const before = texts().toSorted();
    kernel.failAtStep(1);
    await assert.rejects(testbed.networks.remove('front'), /EIO/);
    assert.deepEqual(texts().toSorted(), before);
    assert.equal(subnetOf('front'), '172.18.0.0/16');
    await testbed.networks.remove('front');
  });

  test('dry runs print what create and remove do, and change nothing', async () => {
    const kinds = async (plan: Promise<{ action: string; object: { kind: string } }[]>) =>
      (await plan).map(({ action, object }) => `${action} ${object.kind}`);
    const planned = await kinds(testbed.networks.planCreate(requestOf('front')));
    let done = kernel.done.length;
    await create('front');
    assert.deepEqual(await kinds(Promise.resolve(kernel.done.slice(done))), planned);
    done = kernel.done.length;
    const removal = await kinds(testbed.networks.planRemove('front'));
    assert.equal(testbed.networks.get('front').name, 'front');
    await testbed.networks.remove('front');
    assert.deepEqual(await kinds(Promise.resolve(kernel.done.slice(done))), removal);
  });
});

describe('restart', () => {
  test('networks, addresses and endpoints are as before, and missing objects are created', async () => {
    await create('front');
    await create('back');
    const web = await testbed.run('web', { endpoints: [{ network: 'front' }, { network: 'back' }] });
    const before = texts().toSorted();
    await testbed.networks.close();
    for (const object of kernel.objects()) if (object.kind === 'bridge') kernel.vanish(object);
    await testbed.open().start([web.containerId]);
    assert.deepEqual(texts().toSorted(), before);
    assert.deepEqual(testbed.networks.state(web.containerId)?.endpoints, web.endpoints);
    await create('third');
    assert.equal(subnetOf('third'), '172.20.0.0/16');
  });

  test('a network that cannot be applied does not prevent the start', async () => {
    await create('front', undefined, { options: { [bridgeName]: 'ny-front' } });
    await create('back', undefined, { options: { [bridgeName]: 'ny-back' } });
    await testbed.networks.close();
    kernel.vanish({ kind: 'bridge', name: 'ny-front', up: true });
    kernel.vanish({ kind: 'bridge', name: 'ny-back', up: true });
    kernel.failAtStep(1); // the attempt to apply all networks
    await testbed.open().start([]);
    assert.ok(['ny-front', 'ny-back'].every((name) => texts().some((text) => text.includes(`"name":"${name}"`))));
  });

  test("--bip may not overlap with a user-defined network's subnet", async () => {
    await create('front', { subnet: '10.5.0.0/24' });
    await testbed.networks.close();
    await assert.rejects(
      testbed.open({ bip: '10.5.0.129/25' }).start([]),
      refuses('conflict', 'bip 10.5.0.129/25 overlaps with the subnet 10.5.0.0/24 of network front'),
    );
  });
});
