/**
 * Tests networks: Docker's predefined ones, the default bridge's address, foreign bridges, orphans of a crash, explain.
 */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { FakeKernel } from '@netyard/testkit';
import { frontNetwork, onFront, openFakeTestbed, openFront, refuses, tcp } from './fake-testbed.ts';
import { Testbed } from './testbed.ts';

let kernel: FakeKernel;
let testbed: Testbed;

beforeEach(async () => {
  ({ kernel, testbed } = await openFakeTestbed());
});
afterEach(() => testbed.close());

test("Docker's three networks are found by name, id and prefix, and are protected", async () => {
  const { networks } = testbed;
  assert.deepEqual(
    networks.list().map(({ name, driver }) => `${name} ${driver}`),
    ['bridge bridge', 'host host', 'none null'],
  );
  const bridge = networks.get('bridge');
  assert.equal(networks.get(bridge.id.slice(0, 12)).name, 'bridge');
  assert.throws(() => networks.get('x'), refuses('not-found', 'network x not found'));
  const create = (name: string) => networks.create({ name, driver: 'bridge' });
  await assert.rejects(
    create('bridge'),
    refuses('forbidden', 'operation is not permitted on predefined bridge network '),
  );
  await assert.rejects(
    networks.remove('none'),
    refuses('forbidden', 'none is a pre-defined network and cannot be removed'),
  );
});

test('--bip rejects invalid addresses and routes in use, and moves an idle bridge', async () => {
  assert.throws(
    () => testbed.open({ bip: '300.1.1.1/24' }),
    refuses('invalid', 'parse bip failed: invalid CIDR address: 300.1.1.1/24'),
  );
  for (const bip of ['192.168.1.0/24', '192.168.1.255/24', 'fd00::1/64', '10.0.0.1/31'])
    assert.throws(() => testbed.open({ bip }), refuses('invalid', /^invalid bip/));
  kernel.appear({ kind: 'route', to: '192.168.0.0/16', via: '10.0.0.1', link: 'eth0' });
  await assert.rejects(
    testbed.open({ bip: '192.168.11.1/24' }).start([]),
    refuses('conflict', "bip 192.168.11.1/24 overlaps with the host's route 192.168.0.0/16 via 10.0.0.1 dev eth0"),
  );
  const web = await testbed.run('web');
  await assert.rejects(
    testbed.open({ bip: '10.9.0.1/24' }).start([web.containerId]),
    refuses('conflict', /containers run on it \(web\)/),
  );
  await testbed.open({ bip: '10.9.0.1/24' }).start([]);
  const addresses = kernel.objects().filter((object) => object.kind === 'address');
  assert.deepEqual(
    addresses.map(({ prefix }) => prefix),
    ['10.9.0.1/24'],
  );
  assert.equal((await testbed.start(web.containerId)).endpoints[0]?.addresses.v4?.address, '10.9.0.2');
});

test("another program's bridge is left alone", async () => {
  const foreign = new FakeKernel();
  foreign.appear({ kind: 'bridge', name: 'docker0', up: true });
  const other = new Testbed({ kernel: foreign });
  await assert.rejects(
    other.networks.start([]),
    refuses('conflict', "an interface named docker0 exists and is not Netyard's"),
  );
  assert.deepEqual(
    foreign.objects().map(({ kind }) => kind),
    ['bridge'],
  );
  await other.close();
});

test('start deletes sandboxes whose container the engine does not know', async () => {
  await openFront(testbed);
  const id = await testbed.create('lost', onFront('10.5.0.2'));
  await testbed.networks.close();
  testbed.containers.delete(id);
  await testbed.open().start([]);
  assert.deepEqual(testbed.store.sandboxes(), []);
  assert.deepEqual(testbed.store.leases(frontNetwork.id), []);
});

test('explain lists every kernel object of a container; topology shows them', async () => {
  const web = await testbed.run('web', { ports: [tcp(8801)] });
  const { owner, objects } = testbed.networks.explain('web');
  assert.equal(owner, 'container web');
  const expected = kernel.objects();
  const other = new FakeKernel();
  await other.apply({ owner, objects });
  assert.deepEqual(
    new Set(other.objects().map((object) => JSON.stringify(object))),
    new Set(expected.map((object) => JSON.stringify(object))),
  );
  const { nodes, edges } = testbed.networks.topology();
  assert.deepEqual(
    nodes.map(({ name }) => name),
    ['host', 'bridge', 'web'],
  );
  assert.ok(edges.some(({ from, address }) => from === web.containerId && address === '172.17.0.2'));
  await testbed.stop(web.containerId);
  assert.throws(() => testbed.networks.explain('web'), refuses('conflict', 'Container web is not running'));
  assert.ok((await testbed.networks.planPrepare(web.containerId)).length > 5);
  assert.throws(
    () => testbed.networks.explain('nothing'),
    refuses('not-found', 'No such container, network or peer: nothing'),
  );
});
