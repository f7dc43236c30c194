/** Namespaces attached by path, on an in-memory kernel: settings, failures, persistence, and what detach leaves. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger, systemClock } from '@netyard/core';
import { openHost, startHost } from '@netyard/network';
import type { FakeKernel } from '@netyard/testkit';
import type { EndpointRecord } from '../src/index.ts';
import {
  failConntrackFlush,
  failRelay,
  objectsOf,
  openFakeTestbed,
  openFront,
  refuses,
  tcp,
  udp,
} from './fake-testbed.ts';
import type { Testbed } from './testbed.ts';

const netnsPath = '/run/netns/pod';
const request = { name: 'pod', network: 'bridge', netnsPath };

async function openWithNamespace(): Promise<{ kernel: FakeKernel; testbed: Testbed }> {
  const { kernel, testbed } = await openFakeTestbed();
  kernel.appear({ kind: 'netns', path: netnsPath });
  return { kernel, testbed };
}

const leasesOf = (testbed: Testbed): string[] =>
  testbed.store.leases(testbed.networks.get('bridge').id).map(({ address }) => address);

test('attach rejects bad settings before anything changes', async () => {
  const { kernel, testbed } = await openWithNamespace();
  const before = kernel.objects().length;
  const cases: [object, string, string | RegExp][] = [
    [{ network: 'nope' }, 'not-found', 'network nope not found'],
    [{ network: 'none' }, 'forbidden', 'namespaces cannot be attached to network none'],
    [{ netnsPath: '/run/netns/gone' }, 'not-found', 'network namespace /run/netns/gone does not exist'],
    [{ netnsPath: 'pod' }, 'invalid', /^invalid netns path/],
    [{ name: '' }, 'invalid', 'an endpoint needs a name'],
    [{ link: 'much-too-long-for-a-link' }, 'invalid', 'invalid interface name: much-too-long-for-a-link'],
    [{ link: 'a b' }, 'invalid', 'invalid interface name: a b'],
    [{ link: 'lo' }, 'invalid', 'invalid interface name: lo'],
    [{ addresses: { v4: '1.2' } }, 'invalid', 'invalid endpoint settings:\ninvalid IPv4 address: 1.2'],
    [{ addresses: { v4: '10.9.0.1' } }, 'invalid', /no configured subnet contains IP address 10\.9\.0\.1$/],
    [{ addresses: { v6: 'fd00::9' } }, 'invalid', /no configured subnet contains IP address fd00::9$/],
    [{ addresses: { v4: '172.17.0.1' } }, 'forbidden', 'Address already in use'],
    [{ macAddress: 'red' }, 'invalid', /^invalid endpoint settings:\n.*red/],
  ];
  for (const [change, code, message] of cases)
    await assert.rejects(testbed.networks.endpoints.attach({ ...request, ...change }), refuses(code, message));
  assert.equal(kernel.objects().length, before);
  assert.deepEqual([testbed.networks.endpoints.list(), testbed.store.endpoints(), leasesOf(testbed)], [[], [], []]);
  await testbed.close();
});

test('containers and attached namespaces share addresses, ports and the rejection of names in use', async () => {
  const { testbed } = await openWithNamespace();
  const { endpoints } = testbed.networks;
  const web = await testbed.run('web', { ports: [tcp(8801)] });
  const pod = await endpoints.attach({ ...request, link: 'net1', macAddress: '02:00:00:00:00:07' });
  const { link, mac, addresses } = pod.endpoint;
  assert.deepEqual([link, mac, addresses.v4?.address], ['net1', '02:00:00:00:00:07', '172.17.0.3']);
  await assert.rejects(endpoints.attach(request), refuses('conflict', /^endpoint with name pod already exists/));
  const taken = { ...request, name: 'other', addresses: { v4: web.endpoints[0]?.addresses.v4?.address ?? '' } };
  await assert.rejects(endpoints.attach(taken), refuses('forbidden', 'Address already in use'));
  await assert.rejects(
    endpoints.publish('pod', tcp(8801)),
    refuses('failed', /on endpoint pod \([0-9a-f]+\): .*port is already allocated/),
  );
  assert.deepEqual(endpoints.get(pod.id).ports, []);
  await assert.rejects(endpoints.detach('unknown'), refuses('not-found', 'endpoint unknown not found'));
  await testbed.close();
});

test('a failure at any step leaves nothing of the endpoint', async () => {
  for (let step = 1; ; step += 1) {
    const { kernel, testbed } = await openWithNamespace();
    const before = kernel.objects();
    kernel.failAtStep(step);
    const failed = await testbed.networks.endpoints.attach(request).then(
      () => false,
      () => true,
    );
    if (!failed) {
      assert.ok(step > 3, `${step} steps`);
      await testbed.close();
      return;
    }
    assert.deepEqual(kernel.objects(), before);
    assert.deepEqual([testbed.networks.endpoints.list(), testbed.store.endpoints(), leasesOf(testbed)], [[], [], []]);
    await testbed.close();
  }
});

test('published ports come and go with their elements; detach releases all of them', async () => {
  const { kernel, testbed } = await openWithNamespace();
  const before = kernel.objects();
  const { endpoints } = testbed.networks;
  await endpoints.attach(request);
  const sets = (): string[] =>
    kernel
      .objects()
      .flatMap((object) =>
        object.kind === 'nft-element' && object.comment?.startsWith('endpoint ') ? [object.set] : [],
      );
  const [first, overIpv6] = await endpoints.publish('pod', tcp(8801));
  assert.ok(first && overIpv6);
  const [second] = await endpoints.publish('pod', { ...tcp(8802), hostAddress: '127.0.0.1' });
  assert.deepEqual(sets().sort(), ['hairpin', 'published', 'published_any', 'relayed_ports_any']);
  await endpoints.unpublish('pod', first);
  await endpoints.unpublish('pod', overIpv6);
  assert.deepEqual(sets().sort(), ['hairpin', 'published']);
  await assert.rejects(
    endpoints.unpublish('pod', first),
    refuses('not-found', /has not published 0\.0\.0\.0:8801->80\/tcp/),
  );
  assert.deepEqual(endpoints.get('pod').ports, [second]);
  await endpoints.detach('pod');
  assert.deepEqual(kernel.objects(), before);
  assert.deepEqual([kernel.reservedPorts(), testbed.store.endpoints(), leasesOf(testbed)], [[], [], []]);
  await testbed.close();
});

/** The endpoint as it is in the kernel, in the table of ports, in the store and in memory. */
const snapshot = (kernel: FakeKernel, testbed: Testbed) => ({
  objects: objectsOf(kernel),
  reserved: kernel.reservedPorts(),
  stored: testbed.store.endpoints(),
  listed: testbed.networks.endpoints.list(),
});

/** Of a port, two elements come and go. */
const failAtSteps = [1, 2].map((step) => (kernel: FakeKernel) => kernel.failAtStep(step));

test('a port that cannot be published completely is not published', async () => {
  const { kernel, testbed } = await openWithNamespace();
  const { endpoints } = testbed.networks;
  await endpoints.attach(request);
  const before = snapshot(kernel, testbed);
  for (const fail of [...failAtSteps, failConntrackFlush, failRelay]) {
    fail(kernel);
    await assert.rejects(endpoints.publish('pod', udp(8853)), refuses('failed', /EIO|EMFILE/));
    assert.deepEqual(snapshot(kernel, testbed), before);
  }
  assert.equal((await endpoints.publish('pod', udp(8853))).length, 2);
  await testbed.close();
});

test('a port that cannot be withdrawn completely stays published, and can be withdrawn again', async () => {
  const { kernel, testbed } = await openWithNamespace();
  const { endpoints } = testbed.networks;
  await endpoints.attach(request);
  const [port] = await endpoints.publish('pod', udp(8853));
  assert.ok(port);
  const before = snapshot(kernel, testbed);
  for (const fail of [...failAtSteps, failConntrackFlush]) {
    fail(kernel);
    await assert.rejects(endpoints.unpublish('pod', port), refuses('failed', /EIO/));
    assert.deepEqual(snapshot(kernel, testbed), before);
  }
  await endpoints.unpublish('pod', port);
  assert.deepEqual(
    kernel.reservedPorts().map(({ address }) => address),
    ['::'],
  );
  await testbed.close();
});

test('endpoints survive a restart of the daemon and are repaired; a lost namespace is reported, not forgotten', async () => {
  const { kernel, testbed } = await openWithNamespace();
  const pod = await testbed.networks.endpoints.attach(request);
  const ports = await testbed.networks.endpoints.publish('pod', tcp(8801));
  const desired = kernel.objects();
  const element = desired.find((object) => object.kind === 'nft-element' && object.set === 'published_any');
  assert.ok(element);
  await testbed.networks.close();
  kernel.vanish(element);
  await testbed.open().start([]);
  const { endpoints } = testbed.networks;
  const expected: EndpointRecord = { ...pod, ports };
  assert.deepEqual(endpoints.list(), [expected]);
  assert.equal(kernel.objects().length, desired.length, 'no orphan was deleted, the element is back');
  assert.deepEqual(
    kernel.reservedPorts().map(({ port: one }) => one),
    [8801, 8801],
  );
  const { address } = pod.endpoint.addresses.v4 ?? { address: '' };
  assert.deepEqual(leasesOf(testbed), [address]);

  kernel.vanish({ kind: 'netns', path: netnsPath });
  assert.deepEqual(
    (await endpoints.check('pod')).map(({ state, description }) => [state, description]),
    [['absent', `netns ${netnsPath}`]],
  );
  await testbed.networks.close();
  await testbed.open().start([]);
  assert.equal(testbed.networks.endpoints.list().length, 1);
  await testbed.networks.endpoints.detach(pod.id);
  assert.deepEqual([testbed.store.endpoints(), leasesOf(testbed)], [[], []]);
  await testbed.close();
});

test('explain prints networks and objects of an endpoint; a static address on a user-defined network is used', async () => {
  const { kernel, testbed } = await openFakeTestbed();
  await openFront(testbed);
  kernel.appear({ kind: 'netns', path: netnsPath });
  const { endpoints } = testbed.networks;
  await endpoints.attach({ ...request, network: 'front', addresses: { v4: '10.5.0.77' }, defaultRoute: false });
  const { owner, objects } = testbed.networks.explain('pod');
  assert.match(owner, /^endpoint pod; its namespace belongs to another program/);
  assert.ok(objects.some((object) => object.kind === 'bridge' && object.name === 'ny-front'));
  assert.ok(objects.some((object) => object.kind === 'address' && object.prefix === '10.5.0.77/24'));
  assert.ok(!objects.some((object) => object.kind === 'route'));
  await endpoints.detach('pod');
  await endpoints.attach({ ...request, network: 'front', addresses: { v4: '10.5.0.77' } });
  await testbed.close();
});

test('the daemon starts when the network of an endpoint was lost, and the endpoint can be detached', async () => {
  const { kernel, testbed } = await openWithNamespace();
  const { endpoint } = await testbed.networks.endpoints.attach(request);
  await testbed.networks.close();
  testbed.store.deleteNetwork(endpoint.networkId);
  const networks = testbed.open();
  await networks.start([]);
  assert.equal(networks.endpoints.list().length, 1);
  await networks.endpoints.detach('pod');
  assert.deepEqual([testbed.store.endpoints(), networks.endpoints.list()], [[], []]);
  assert.ok(!kernel.objects().some((object) => object.kind === 'veth'));
  await testbed.close();
});

test('a changed MTU does not create the interface of an endpoint again that is being detached', async () => {
  const { kernel, testbed } = await openWithNamespace();
  await testbed.networks.close();
  const host = openHost({
    ...{ kernel, store: testbed.store, settings: testbed.settings, logger: silentLogger, clock: systemClock },
    containers: {
      ids: () => [],
      running: () => [],
      get() {},
      plan: () => [],
      repair: async () => [],
      async applyMtu() {},
    },
    emit() {},
  });
  await startHost(host.context, new Set());
  await host.endpoints.attach(request);
  const removed = Promise.withResolvers<void>();
  const recorded = Promise.withResolvers<void>();
  const remove = kernel.remove.bind(kernel);
  kernel.remove = async (plan) => {
    const report = await remove(plan);
    removed.resolve();
    await recorded.promise; // the record still has the endpoint
    return report;
  };
  const detaching = host.endpoints.detach('pod');
  await removed.promise;
  const adjusting = host.context.attachments.applyMtu({ kernel, logger: silentLogger, mtuLimit: 1450 });
  setImmediate(recorded.resolve);
  await Promise.all([detaching, adjusting]);
  assert.ok(!kernel.objects().some((object) => object.kind === 'veth'));
  await host.close();
  await testbed.close();
});
