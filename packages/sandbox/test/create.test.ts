/** Tests what container creation rejects, with which message and code, and that nothing is leaked. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { SandboxConfig } from '../src/index.ts';
import { onFront, openFakeTestbed, openFront, refuses, tcp, userDefined } from './fake-testbed.ts';
import { on, type Testbed } from './testbed.ts';

let testbed: Testbed;

beforeEach(async () => {
  ({ testbed } = await openFakeTestbed());
});
afterEach(() => testbed.close());

test('create rejects invalid configurations and registers nothing', async () => {
  await testbed.create('host-mode', { mode: { kind: 'host' } });
  const host =
    "conflicting options: host type networking can't be used with links. This would result in undefined behavior";
  const endpoint = (settings: object): Partial<SandboxConfig> => ({ endpoints: [{ network: 'bridge', ...settings }] });
  const invalid = 'invalid config for network bridge: invalid endpoint settings:\n';
  const cases: [Partial<SandboxConfig>, string, string | RegExp][] = [
    [{ links: ['missing'] }, 'invalid', 'could not get container for missing: No such container: missing'],
    [{ links: ['me'] }, 'invalid', 'could not get container for me: No such container: me'],
    [{ links: ['host-mode'] }, 'invalid', host],
    [{ links: ['a:b:c'] }, 'invalid', 'bad format for links: a:b:c'],
    [{ mode: { kind: 'host' }, links: ['host-mode'] }, 'invalid', host],
    [{ extraHosts: ['x'] }, 'invalid', 'bad format for add-host: "x"'],
    [{ hostname: 'a\nb' }, 'invalid', /invalid hostname format/],
    [{ dns: ['x'] }, 'invalid', 'invalid IP address: x'],
    [{ ports: [tcp(70000)] }, 'invalid', /invalid port specification/],
    [endpoint({ addresses: { v4: '172.17.0.1' } }), 'forbidden', 'Address already in use'],
    [
      endpoint({ addresses: { v4: '10.0.0.9', v6: 'fd00::9' } }),
      'invalid',
      `${invalid}* no configured subnet contains IP address 10.0.0.9\n* no configured subnet contains IP address fd00::9`,
    ],
    [endpoint({ addresses: { v4: '1.2' } }), 'invalid', `${invalid}invalid IPv4 address: 1.2`],
    [endpoint({ macAddress: 'zz' }), 'invalid', `${invalid}zz is not a valid mac address`],
    [
      endpoint({ macAddress: '01:00:5e:00:00:01' }),
      'invalid',
      `${invalid}01:00:5e:00:00:01 is not the address of a single interface`,
    ],
    [
      endpoint({ aliases: ['a'] }),
      'invalid',
      `${invalid}network-scoped aliases are only supported for user-defined networks`,
    ],
    [endpoint({ linkLocalAddresses: ['fe80::9'] }), 'invalid', `${invalid}invalid link-local IP address: fe80::9`],
    [
      { mode: { kind: 'container', ref: 'x' }, endpoints: [{ network: 'front', addresses: { v4: '10.0.0.9' } }] },
      'invalid',
      `invalid config for network container:x: invalid endpoint settings:\n${userDefined}`,
    ],
    [
      { mode: { kind: 'none' }, endpoints: [{ network: 'none', addresses: { v4: '172.17.0.9' } }] },
      'invalid',
      `invalid config for network none: invalid endpoint settings:\n${userDefined}`,
    ],
  ];
  for (const [config, code, message] of cases)
    await assert.rejects(testbed.create('me', config), refuses(code, message), JSON.stringify(config));
  assert.equal(testbed.store.sandboxes().length, 1);
  assert.deepEqual(testbed.store.leases(testbed.networks.get('bridge').id), []);
});

test('links keep their order, the first alias wins, and a target in container mode resolves to its owner', async () => {
  const owner = await testbed.create('owner');
  await testbed.create('sharer', { mode: { kind: 'container', ref: 'owner' } });
  const other = await testbed.create('other');
  const id = await testbed.create('app', { links: ['other:z', 'sharer:a', 'owner:z', 'other:z'] });
  assert.deepEqual(
    testbed.networks.links(id).map(({ alias, childId }) => [alias, childId]),
    [
      ['z', other],
      ['a', owner],
    ],
  );
  assert.equal(testbed.networks.findLink('/app/z')?.childId, other);
  assert.deepEqual(
    testbed.networks.linksTo(owner).map(({ alias }) => alias),
    ['a'],
  );
});

test('an unusable static address is rejected on a user-defined network', async () => {
  await openFront(testbed);
  const settings = 'invalid endpoint settings:\nno configured subnet contains IP address 10.1.1.1';
  const invalid = 'invalid config for network front: invalid endpoint settings:\n';
  await assert.rejects(
    testbed.create('me', onFront('10.1.1.1')),
    refuses('invalid', `invalid config for network front: ${settings}`),
  );
  await assert.rejects(testbed.create('me', onFront('1.2')), refuses('invalid', `${invalid}invalid IPv4 address: 1.2`));
  await assert.rejects(testbed.create('me', onFront('10.5.0.1')), refuses('forbidden', 'Address already in use'));
  assert.deepEqual(testbed.store.sandboxes(), []);
  const web = await testbed.run('web');
  const connect = (network: string, v4: string) =>
    testbed.networks.connect(network, web.containerId, { network, addresses: { v4 } });
  await assert.rejects(connect('front', '10.1.1.1'), refuses('invalid', settings));
  await testbed.networks.disconnect('bridge', web.containerId, false);
  await assert.rejects(
    connect('bridge', '10.1.1.1'),
    refuses('invalid', 'invalid endpoint settings:\nno configured subnet contains IP address 10.1.1.1'),
  );
  await connect('bridge', '172.17.0.9');
  await connect('front', '10.5.0.9');
  assert.deepEqual(
    testbed.networks.state(web.containerId)?.endpoints.map(({ addresses }) => addresses.v4?.address),
    ['172.17.0.9', '10.5.0.9'],
  );
});

test('a static address stays reserved while the container is stopped and across a restart of the daemon', async () => {
  await openFront(testbed);
  const id = await testbed.create('static', onFront('10.5.0.2'));
  await testbed.networks.close();
  await testbed.open().start([]);
  assert.equal((await testbed.run('dynamic', onFront())).endpoints[0]?.addresses.v4?.address, '10.5.0.3');
  assert.equal((await testbed.start(id)).endpoints[0]?.addresses.v4?.address, '10.5.0.2');
  await testbed.remove(id);
  await testbed.create('heir', onFront('10.5.0.2'));
});

test('a static address that a crash left free is reserved when the daemon starts', async () => {
  await openFront(testbed);
  const id = await testbed.create('static', onFront('10.5.0.2'));
  const networkId = testbed.networks.get('front').id;
  // As after `network create` of a network that replaces the former one, killed before the reservation.
  testbed.store.deleteLease(networkId, '10.5.0.2');
  await testbed.networks.close();
  await testbed.open().start([]);
  const leases = testbed.store.leases(networkId).map(({ address, containerId }) => [address, containerId]);
  assert.deepEqual(leases, [['10.5.0.2', id]]);
  assert.equal((await testbed.run('dynamic', onFront())).endpoints[0]?.addresses.v4?.address, '10.5.0.3');
});

test('a removed container keeps no lease when another one took its address and failed to start', async () => {
  await openFront(testbed);
  const old = await testbed.create('old', onFront('10.5.0.2'));
  const networkId = testbed.networks.get('front').id;
  await testbed.run('web', { ports: [{ protocol: 'tcp', containerPort: 80, hostPort: 8080 }] });
  const second = await testbed.create('second', {
    ...onFront('10.5.0.2'),
    ports: [{ protocol: 'tcp', containerPort: 80, hostPort: 8080 }],
  });
  await assert.rejects(testbed.start(second), /port is already allocated/);
  await testbed.remove(old);
  const leases = () => testbed.store.leases(networkId).map(({ address, containerId }) => [address, containerId]);
  assert.deepEqual(leases(), [['10.5.0.2', second]]);
  await testbed.remove(second);
  assert.deepEqual(leases(), []);
});

test('leases of containers that do not exist are dropped when the daemon starts', async () => {
  await openFront(testbed);
  const id = await testbed.create('static', onFront('10.5.0.3'));
  const networkId = testbed.networks.get('front').id;
  testbed.store.putLease(networkId, '10.5.0.2', 'gone');
  await testbed.networks.close();
  await testbed.open().start([]);
  const leases = testbed.store.leases(networkId).map(({ address, containerId }) => [address, containerId]);
  assert.deepEqual(leases, [['10.5.0.3', id]]);
  assert.equal((await testbed.run('dynamic', onFront())).endpoints[0]?.addresses.v4?.address, '10.5.0.2');
});

test('a lease whose container neither has nor requests the address is dropped when the daemon starts', async () => {
  await openFront(testbed);
  const id = await testbed.create('plain');
  const networkId = testbed.networks.get('front').id;
  testbed.store.putLease(networkId, '10.5.0.3', id);
  await testbed.networks.close();
  await testbed.open().start([]);
  assert.deepEqual(testbed.store.leases(networkId), []);
});

test('several containers may request the same static address, and one of them runs', async () => {
  await openFront(testbed);
  const addressOf = async (id: string) => (await testbed.start(id)).endpoints[0]?.addresses.v4?.address;
  const old = await testbed.create('old', onFront('10.5.0.2'));
  assert.equal(await addressOf(old), '10.5.0.2');
  // As Compose does, which removes the old one after it created its successor.
  const successor = await testbed.create('successor', onFront('10.5.0.2'));
  await assert.rejects(testbed.start(successor), refuses('forbidden', /Address already in use$/));
  await testbed.remove(old);
  assert.equal((await testbed.run('dynamic', onFront())).endpoints[0]?.addresses.v4?.address, '10.5.0.3');
  assert.equal(await addressOf(successor), '10.5.0.2');
  // As docker-compose 1 does, which starts the successor before it removes the old one.
  await testbed.networks.release(successor);
  const third = await testbed.create('third', onFront('10.5.0.2'));
  assert.equal(await addressOf(third), '10.5.0.2');
  await testbed.remove(successor);
  await testbed.networks.close();
  await testbed.open().start([third]);
  assert.equal(testbed.networks.state(third)?.endpoints[0]?.addresses.v4?.address, '10.5.0.2');
  const fourth = await testbed.create('fourth', onFront('10.5.0.2'));
  await assert.rejects(testbed.start(fourth), refuses('forbidden', /Address already in use$/));
  await assert.rejects(testbed.create('gateway', onFront('10.5.0.1')), refuses('forbidden', 'Address already in use'));
});

test('host and none cannot be combined with another network', async () => {
  const create = (kind: 'host' | 'none' | 'default', network: string) =>
    testbed.run('two', { mode: { kind }, endpoints: [{ network }] });
  await assert.rejects(create('host', 'bridge'), refuses('invalid', /^container sharing network namespace/));
  await assert.rejects(create('default', 'host'), refuses('invalid', /^cannot connect container to host network/));
  await assert.rejects(create('none', 'bridge'), refuses('invalid', /private \(none\) mode$/));
});

test('requested endpoints replace the network of the mode, as in Docker, and name each network once', async () => {
  await openFront(testbed);
  const only = await testbed.create('only', { mode: { kind: 'default' }, endpoints: [{ network: 'front' }] });
  assert.deepEqual(
    testbed.networks.config(only)?.endpoints.map(({ network }) => network),
    ['front'],
  );
  const { id } = testbed.networks.get('front');
  await assert.rejects(
    testbed.create('twice', on(id, 'front')),
    refuses('invalid', 'network "front" is specified multiple times'),
  );
});
