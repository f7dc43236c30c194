/** Tests ports that are added to and removed from a container: running, stopped, rejected, and rolled back. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { FakeKernel } from '@netyard/testkit';
import type { PublishedPort } from '../src/index.ts';
import { failConntrackFlush, failRelay, objectsOf, openFakeTestbed, refuses, tcp, udp } from './fake-testbed.ts';
import type { Testbed } from './testbed.ts';

let kernel: FakeKernel;
let testbed: Testbed;

beforeEach(async () => {
  ({ kernel, testbed } = await openFakeTestbed());
});
afterEach(() => testbed.close());

const any = (containerPort: number) => ({ protocol: 'tcp' as const, containerPort });
const hostPorts = (ports: readonly PublishedPort[] = []): number[] => ports.map(({ hostPort }) => hostPort);
/** Over IPv4. Over IPv6 the same ports are published, which every call checks. */
function published(id: string): number[] {
  const ports = testbed.networks.state(id)?.ports ?? [];
  const overIpv4 = ports.filter(({ hostAddress }) => !hostAddress.includes(':'));
  const both = overIpv4.filter(({ hostAddress }) => hostAddress === '0.0.0.0');
  assert.deepEqual(hostPorts(ports.filter(({ hostAddress }) => hostAddress === '::')), hostPorts(both));
  return hostPorts(overIpv4);
}
const requested = (id: string): unknown => testbed.networks.config(id)?.ports;
const elements = (): string[] =>
  kernel
    .objects()
    .flatMap((object) => (object.kind === 'nft-element' && object.set.startsWith('published') ? [object.key] : []))
    .sort();

test('ports of a running container are published at once, and again after a restart of it and of the daemon', async () => {
  const { containerId: id } = await testbed.run('web', { ports: [tcp(8801)] });
  const added = await testbed.networks.addPorts(id, [tcp(8802), any(81)]);
  assert.deepEqual(added, {
    published: [
      { protocol: 'tcp', containerPort: 80, hostAddress: '0.0.0.0', hostPort: 8802 },
      { protocol: 'tcp', containerPort: 80, hostAddress: '::', hostPort: 8802 },
      { protocol: 'tcp', containerPort: 81, hostAddress: '0.0.0.0', hostPort: 32768 },
      { protocol: 'tcp', containerPort: 81, hostAddress: '::', hostPort: 32768 },
    ],
    warnings: [],
  });
  assert.deepEqual(elements(), ['tcp . 32768', 'tcp . 8801', 'tcp . 8802']);
  await testbed.networks.close();
  await testbed.open().start([id]);
  assert.deepEqual(published(id), [8801, 8802, 32768]);
  await testbed.stop(id);
  assert.deepEqual(elements(), []);
  await testbed.start(id);
  assert.deepEqual(published(id).slice(0, 2), [8801, 8802]);
  assert.equal(kernel.reservedPorts().length, 6);
});

test('ports are removed by host port, by address, or all of a port of the container', async () => {
  const local = { ...tcp(8803), hostAddress: '127.0.0.1' };
  const range = { ...tcp(9000), hostPortEnd: 9002 };
  const { containerId: id } = await testbed.run('web', { ports: [tcp(8801), local, range, any(80), any(81)] });
  const dynamic = Math.min(...published(id).filter((port) => port > 10_000));
  await testbed.networks.removePorts(id, [{ ...any(80), hostAddress: '127.0.0.1' }]);
  assert.deepEqual(published(id), [8801, dynamic, 9000, dynamic + 1]);
  await testbed.networks.removePorts(id, [tcp(dynamic)]);
  assert.deepEqual(requested(id), [tcp(8801), range, any(81)]);
  await testbed.networks.removePorts(id, [tcp(9000)]);
  assert.deepEqual(elements(), [`tcp . ${dynamic + 1}`, 'tcp . 8801']);
  await testbed.networks.addPorts(id, [tcp(8804)]);
  await testbed.networks.removePorts(id, [any(80)]);
  assert.deepEqual(published(id), [dynamic + 1]);
  assert.equal(kernel.reservedPorts().length, 2);
  await testbed.networks.removePorts(id, [any(81)]);
  assert.deepEqual(elements(), []);
  await testbed.remove(id);
});

test('ports of a stopped container change its next start', async () => {
  const id = await testbed.create('web');
  assert.deepEqual(await testbed.networks.addPorts(id, [tcp(8801), tcp(8802)]), { published: [], warnings: [] });
  await testbed.networks.removePorts(id, [tcp(8801)]);
  await testbed.start(id);
  assert.deepEqual(published(id), [8802]);
});

test('a port in use is rejected as at start, and nothing changes', async () => {
  await testbed.run('other', { ports: [tcp(8801)] });
  const { containerId: id } = await testbed.run('web', { ports: [tcp(8802)] });
  kernel.occupyPort('tcp', '0.0.0.0', 9000);
  const before = { objects: kernel.objects(), reserved: kernel.reservedPorts(), stored: testbed.store.sandboxes() };
  const where = /^driver failed programming external connectivity on endpoint web \([0-9a-f]{64}\): /.source;
  for (const [port, message] of [
    [8801, 'Bind for 0\\.0\\.0\\.0:8801 failed: port is already allocated'],
    [8802, 'Bind for 0\\.0\\.0\\.0:8802 failed: port is already allocated'],
    [9000, 'failed to bind host port 0\\.0\\.0\\.0:9000/tcp: address already in use'],
  ] as const)
    await assert.rejects(
      testbed.networks.addPorts(id, [tcp(8803), tcp(port)]),
      refuses('failed', new RegExp(`${where}${message}$`)),
    );
  kernel.failAtStep(1);
  await assert.rejects(testbed.networks.addPorts(id, [tcp(8803)]), refuses('failed', /EIO/));
  const after = { objects: kernel.objects(), reserved: kernel.reservedPorts(), stored: testbed.store.sandboxes() };
  assert.deepEqual(after, before);
  await testbed.stop(id);
  await assert.rejects(
    testbed.networks.addPorts(id, [{ ...tcp(8802), hostAddress: '127.0.0.1' }]),
    refuses('failed', /Bind for 0\.0\.0\.0:8802 failed: port is already allocated$/),
  );
  assert.deepEqual(requested(id), [tcp(8802)]);
});

/** The container as it is in the kernel, in the table of ports, in the store and in memory. */
const snapshot = (id: string) => ({
  objects: objectsOf(kernel),
  reserved: kernel.reservedPorts(),
  stored: testbed.store.sandboxes(),
  ports: [requested(id), testbed.networks.state(id)?.ports],
});

/** Of a port, two elements come and go. */
const failAtSteps = [1, 2].map((step) => (kernel: FakeKernel) => kernel.failAtStep(step));

test('a port that cannot be published completely is not published', async () => {
  const { containerId: id } = await testbed.run('web');
  const before = snapshot(id);
  for (const fail of [...failAtSteps, failConntrackFlush, failRelay]) {
    fail(kernel);
    await assert.rejects(testbed.networks.addPorts(id, [udp(8853)]), refuses('failed', /EIO|EMFILE/));
    assert.deepEqual(snapshot(id), before);
  }
  assert.equal((await testbed.networks.addPorts(id, [udp(8853)])).published.length, 2);
});

test('a port that cannot be removed completely stays published, and can be removed again', async () => {
  const { containerId: id } = await testbed.run('web', { ports: [udp(8853)] });
  const before = snapshot(id);
  for (const fail of [...failAtSteps, failConntrackFlush]) {
    fail(kernel);
    await assert.rejects(testbed.networks.removePorts(id, [udp(8853)]), refuses('failed', /EIO/));
    assert.deepEqual(snapshot(id), before);
  }
  await testbed.networks.removePorts(id, [udp(8853)]);
  assert.deepEqual([kernel.reservedPorts(), requested(id)], [[], []]);
});

test('containers that cannot publish ports, invalid ports and ports that are not published are rejected', async () => {
  const owner = await testbed.create('owner', { exposed: [{ protocol: 'tcp', port: 80 }], publishAll: true });
  const rejects = async (name: string, kind: 'host' | 'none' | 'container', code: string, message: string | RegExp) => {
    const mode = kind === 'container' ? { kind, ref: owner } : { kind };
    const id = await testbed.create(name, { mode });
    await assert.rejects(testbed.networks.addPorts(id, [tcp(8801)]), refuses(code, message), name);
    assert.deepEqual(requested(id), []);
  };
  const conflicting = 'conflicting options: port publishing and the';
  await rejects('host', 'host', 'invalid', `${conflicting} host network mode`);
  await rejects('joined', 'container', 'invalid', `${conflicting} container type network mode`);
  await rejects('none', 'none', 'forbidden', 'ports of container none cannot be published on network none');
  await testbed.networks.create({ name: 'back', driver: 'bridge', internal: true });
  const inner = await testbed.run('inner', { mode: { kind: 'network', ref: 'back' } });
  await assert.rejects(
    testbed.networks.addPorts(inner.containerId, [tcp(8801)]),
    refuses('forbidden', 'ports of container inner cannot be published on network back'),
  );
  await testbed.start(owner);
  const { networks } = testbed;
  await assert.rejects(networks.addPorts(owner, [tcp(70000)]), refuses('invalid', /invalid port specification/));
  await assert.rejects(
    networks.removePorts(owner, [tcp(8801)]),
    refuses('not-found', 'container owner does not publish port 8801:80/tcp'),
  );
  await assert.rejects(
    networks.removePorts(owner, [any(80)]),
    refuses('conflict', 'port 80/tcp of container owner is published by --publish-all'),
  );
  assert.equal(published(owner).length, 1);
});

test('a dry run returns the operations and changes nothing', async () => {
  const { containerId: id } = await testbed.run('web', { ports: [tcp(8801)] });
  const before = kernel.objects();
  const texts = (operations: Awaited<ReturnType<typeof testbed.networks.planAddPorts>>): string[] =>
    operations.map(({ action, object }) => `${action} ${object.kind === 'nft-element' ? object.key : object.kind}`);
  assert.deepEqual(texts(await testbed.networks.planAddPorts(id, [tcp(8802)])), [
    'create tcp . 8802',
    'create tcp . 8802',
  ]);
  assert.deepEqual(texts(await testbed.networks.planRemovePorts(id, [tcp(8801)])), [
    'delete tcp . 8801',
    'delete 172.17.0.2 . 172.17.0.2',
    'delete tcp . 8801',
  ]);
  await assert.rejects(testbed.networks.planAddPorts(id, [tcp(8801)]), refuses('failed', /already allocated/));
  assert.deepEqual(kernel.objects(), before);
  assert.deepEqual(published(id), [8801]);
});

test('a link with icc=false allows an added port of its target', async () => {
  await testbed.networks.close();
  await testbed.open({ icc: false }).start([]);
  const { containerId: db } = await testbed.run('db');
  await testbed.run('web', { links: ['db'] });
  const allowed = (): string[] =>
    kernel
      .objects()
      .flatMap((object) => (object.kind === 'nft-element' && /\. 5432$/.test(object.key) ? [object.key] : []));
  assert.deepEqual(allowed(), []);
  await testbed.networks.addPorts(db, [any(5432)]);
  assert.equal(allowed().length, 1);
  await testbed.networks.removePorts(db, [any(5432)]);
  assert.deepEqual(allowed(), []);
});

test('a port of one address family is added and removed apart from that of the other', async () => {
  const { containerId: id } = await testbed.run('web');
  const own = { ...tcp(8801), hostAddress: '::1' };
  await testbed.networks.addPorts(id, [{ ...tcp(8801), hostAddress: '0.0.0.0' }, own]);
  const show = () => testbed.networks.state(id)?.ports.map(({ hostAddress, hostPort }) => [hostAddress, hostPort]);
  assert.deepEqual(show(), [
    ['0.0.0.0', 8801],
    ['::1', 8801],
  ]);
  assert.deepEqual(
    kernel.reservedPorts().map(({ address, relayedTo }) => [address, relayedTo]),
    [
      ['0.0.0.0', undefined],
      ['::1', { address: '172.17.0.2', port: 80 }],
    ],
  );
  await testbed.networks.removePorts(id, [own]);
  assert.deepEqual(show(), [['0.0.0.0', 8801]]);
  kernel.occupyPort('tcp', '::', 8802);
  await assert.rejects(
    testbed.networks.addPorts(id, [tcp(8802)]),
    refuses('failed', /failed to bind host port \[::\]:8802\/tcp: address already in use$/),
  );
  assert.deepEqual(show(), [['0.0.0.0', 8801]]);
});

test('ports follow the gateway of their address family, and are relayed while there is none of IPv6', async () => {
  await testbed.networks.create({ name: 'six', driver: 'bridge', ipam: { v6: [{ subnet: 'fd00:6::/64' }] } });
  const { containerId: id } = await testbed.run('web', { ports: [tcp(8801)] });
  /** What is published, where the port is relayed to, and the keys of the maps with their values. */
  const show = () => ({
    published: testbed.networks.state(id)?.ports.map(({ hostAddress }) => hostAddress) ?? [],
    relayed: kernel.reservedPorts().flatMap(({ relayedTo }) => relayedTo?.address ?? []),
    translated: kernel
      .objects()
      .flatMap((one) =>
        one.kind === 'nft-element' && one.set === 'published_any' ? `${one.family} ${one.value}` : [],
      ),
  });
  const both = ['0.0.0.0', '::'];
  assert.deepEqual(show(), { published: both, relayed: ['172.17.0.2'], translated: ['ip 172.17.0.2 . 80'] });
  await testbed.networks.connect('six', id, { network: 'six' });
  const translated = ['ip 172.17.0.2 . 80', 'ip6 fd00:6::2 . 80'];
  assert.deepEqual(show(), { published: both, relayed: ['fd00:6::2'], translated });
  await testbed.networks.disconnect('bridge', id, false);
  assert.deepEqual(show(), { published: ['::'], relayed: ['fd00:6::2'], translated: ['ip6 fd00:6::2 . 80'] });
  await testbed.networks.connect('bridge', id, { network: 'bridge' });
  assert.deepEqual(show().published.toSorted(), both);
  await testbed.networks.disconnect('six', id, false);
  assert.deepEqual(show().relayed, ['172.17.0.3']);
  await testbed.networks.disconnect('bridge', id, false);
  assert.deepEqual(show(), { published: [], relayed: [], translated: [] });
  assert.deepEqual(kernel.reservedPorts(), []);
});
