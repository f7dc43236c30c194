/** Tests the start of a container's network: rejected states, ports, and the rollback of a failure at any step. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { FakeKernel } from '@netyard/testkit';
import { openFakeTestbed, refuses, tcp } from './fake-testbed.ts';
import type { Testbed } from './testbed.ts';

let kernel: FakeKernel;
let testbed: Testbed;

beforeEach(async () => {
  ({ kernel, testbed } = await openFakeTestbed());
});
afterEach(() => testbed.close());

test('container mode requires a running owner at start', async () => {
  const start = async (ref: string): Promise<unknown> =>
    testbed.start(await testbed.create(`j${ref}`, { mode: { kind: 'container', ref } }));
  await assert.rejects(
    start('ghost'),
    refuses('failed', 'joining network namespace of container: No such container: ghost'),
  );
  const owner = await testbed.create('owner');
  await assert.rejects(
    start('owner'),
    refuses('conflict', 'cannot join network namespace of a non running container: container owner is created'),
  );
  testbed.setState(owner, 'restarting');
  await assert.rejects(
    testbed.start(await testbed.create('again', { mode: { kind: 'container', ref: 'owner' } })),
    refuses(
      'conflict',
      /^cannot join network namespace of container: Container [0-9a-f]{64} is restarting, wait until/,
    ),
  );
  const self = await testbed.create('self', { mode: { kind: 'container', ref: 'self' } });
  await assert.rejects(testbed.start(self), refuses('failed', 'cannot join own network namespace'));
});

test("a port in use fails the start with Docker's full message and leaves nothing", async () => {
  await testbed.run('one', { ports: [tcp(8801)] });
  const before = kernel.objects();
  const two = await testbed.create('two', { ports: [tcp(8802), tcp(8801)] });
  const words =
    /^failed to set up container networking: driver failed programming external connectivity on endpoint \w+ \([0-9a-f]{64}\): /;
  await assert.rejects(
    testbed.start(two),
    refuses('failed', new RegExp(`${words.source}Bind for 0\\.0\\.0\\.0:8801 failed: port is already allocated$`)),
  );
  kernel.occupyPort('tcp', '0.0.0.0', 9000);
  const three = await testbed.create('three', { ports: [tcp(9000)] });
  await assert.rejects(
    testbed.start(three),
    refuses(
      'failed',
      new RegExp(`${words.source}failed to bind host port 0\\.0\\.0\\.0:9000/tcp: address already in use$`),
    ),
  );
  assert.deepEqual(kernel.objects(), before);
  assert.equal(kernel.reservedPorts().length, 3, 'two of container one, one of another process');
  assert.equal(testbed.store.leases(testbed.networks.get('bridge').id).length, 1);
});

test('an automatic port never collides with a fixed port of the same container', async () => {
  const any = (containerPort: number) => ({ protocol: 'tcp' as const, containerPort });
  const id = await testbed.create('mixed', {
    ports: [
      any(80),
      { ...any(81), hostPort: 32768 },
      { ...any(82), hostPort: 9000, hostPortEnd: 9001 },
      { ...any(83), hostPort: 9000 },
    ],
    publishAll: true,
    exposed: [{ protocol: 'tcp', port: 84 }],
  });
  const { ports } = await testbed.start(id);
  assert.deepEqual(
    ports
      .filter(({ hostAddress }) => hostAddress === '0.0.0.0')
      .map(({ containerPort, hostPort }) => [containerPort, hostPort]),
    [
      [81, 32768],
      [83, 9000],
      [80, 32769],
      [82, 9001],
      [84, 32770],
    ],
    "in Docker's order: fixed ports first",
  );
  const again = await testbed.create('again', { ports: [any(80), { ...any(81), hostPort: 9000, hostPortEnd: 9001 }] });
  await assert.rejects(testbed.start(again), refuses('failed', /all ports are allocated/));
  assert.equal(kernel.reservedPorts().length, 10);
  await testbed.remove(id);
});

test('a failure at any step releases everything', async () => {
  const before = kernel.objects();
  const id = await testbed.create('web', { ports: [tcp(8801), { protocol: 'udp', containerPort: 53, hostPort: 53 }] });
  for (let step = 1; step <= 12; step += 1) {
    kernel.failAtStep(step);
    await assert.rejects(testbed.start(id), refuses('failed', /EIO/), `step ${step}`);
    assert.deepEqual(kernel.objects(), before, `step ${step}`);
    assert.deepEqual(kernel.reservedPorts(), []);
    assert.equal(testbed.networks.state(id), undefined);
    assert.deepEqual(testbed.store.leases(testbed.networks.get('bridge').id), []);
    assert.equal(testbed.store.sandboxes()[0]?.state, undefined);
  }
});

test('a full pool is reported; addresses are unique and not reused at once', async () => {
  await testbed.networks.close();
  const networks = testbed.open({ bip: '10.9.0.1/29' });
  await networks.start([]);
  const given = await Promise.all(['a', 'b', 'c', 'd', 'e'].map((name) => testbed.run(name)));
  assert.equal(new Set(given.map((state) => state.endpoints[0]?.addresses.v4?.address)).size, 5);
  const id = await testbed.create('f');
  const { id: network } = networks.get('bridge');
  const full = `failed to set up container networking: no available IPv4 addresses on this network's address pools: bridge (${network})`;
  await assert.rejects(testbed.start(id), refuses('failed', full));
  const [first, second] = given;
  assert.ok(first && second);
  await testbed.stop(second.containerId);
  await testbed.stop(first.containerId);
  assert.equal((await testbed.start(id)).endpoints[0]?.addresses.v4?.address, '10.9.0.2');
});
