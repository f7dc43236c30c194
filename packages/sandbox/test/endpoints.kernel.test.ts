/** Attaches plain namespaces, as `ip netns add` creates them, to the default bridge, with real packets. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { openKernel } from '@netyard/kernel';
import { addNeighbour, addUplink, ask, askBriefly, eventually, inFreshHost, pings, serve, sh } from '@netyard/testkit';
import type { EndpointRecord } from '../src/index.ts';
import { Testbed } from './testbed.ts';

const host = await inFreshHost(import.meta.url);
const pathOf = (name: string): string => `/run/netns/${name}`;

describe('namespaces attached by path', host, () => {
  const kernel = openKernel();
  const testbed = new Testbed({ kernel });
  const neighbour = pathOf('neighbour');
  let pod: EndpointRecord;
  let other: EndpointRecord;

  before(async () => {
    addUplink();
    addNeighbour('neighbour', 9);
    sh('ip netns add pod && ip netns add other');
    await testbed.networks.start([]);
    const { endpoints } = testbed.networks;
    pod = await endpoints.attach({
      ...{ name: 'pod', network: 'bridge', netnsPath: pathOf('pod'), link: 'net1' },
      ...{ addresses: { v4: '172.17.9.9' }, macAddress: '02:00:00:00:09:09' },
    });
    other = await endpoints.attach({ name: 'other', network: 'bridge', netnsPath: pathOf('other') });
  });

  after(async () => {
    await testbed.close();
    kernel.close();
  });

  const addressOf = ({ endpoint }: EndpointRecord): string => endpoint.addresses.v4?.address ?? '';

  test('an attached namespace has the requested interface, address and MAC, and a default route', () => {
    assert.match(sh('ip -n pod -4 -o address show net1'), /172\.17\.9\.9\/16 brd 172\.17\.255\.255/);
    assert.match(sh('ip -n pod -o link show net1'), /link\/ether 02:00:00:00:09:09/);
    assert.match(sh('ip -n pod route'), /default via 172\.17\.0\.1 dev net1/);
    assert.match(
      sh(`ip -d -o link show ${pod.endpoint.hostLink}`),
      /alias netyard: endpoint pod \([0-9a-f]{12}\) on bridge/,
    );
    assert.match(sh('ip -n other -4 -o address show eth0'), new RegExp(addressOf(other)));
  });

  test('it reaches the gateway, another endpoint, a container and the outside', async () => {
    const web = await testbed.run('web');
    assert.ok(pings(pathOf('pod'), '172.17.0.1'));
    assert.ok(pings(pathOf('pod'), addressOf(other)));
    assert.ok(pings(pathOf('pod'), web.endpoints[0]?.addresses.v4?.address ?? ''));
    assert.ok(pings(web.netnsPath, addressOf(pod)));
    await serve(neighbour, 'tcp', 9000, 'neighbour');
    assert.equal(ask(pathOf('pod'), 'tcp', '192.0.2.9', 9000), 'neighbour 192.0.2.1', 'masqueraded');
    await testbed.remove(web.containerId);
  });

  test('a published port answers neighbours, the endpoint itself and other endpoints until it is unpublished', async () => {
    const { endpoints } = testbed.networks;
    await serve(pathOf('pod'), 'tcp', 80, 'pod');
    sh('ip -n pod link set lo up');
    const ports = await endpoints.publish('pod', { protocol: 'tcp', containerPort: 80, hostPort: 8801 });
    const port = { protocol: 'tcp', containerPort: 80, hostPort: 8801 };
    assert.deepEqual(ports, [
      { ...port, hostAddress: '0.0.0.0' },
      { ...port, hostAddress: '::' },
    ]);
    assert.equal(ask(neighbour, 'tcp', '192.0.2.1', 8801), 'pod 192.0.2.9', 'the source address is kept');
    assert.match(ask(undefined, 'tcp', '127.0.0.1', 8801), /^pod /);
    assert.match(ask(pathOf('other'), 'tcp', '192.0.2.1', 8801), /^pod /);
    assert.match(ask(pathOf('pod'), 'tcp', '192.0.2.1', 8801), /^pod /, 'an endpoint reaches itself');
    for (const one of ports) await endpoints.unpublish('pod', one);
    assert.equal(askBriefly(neighbour, 'tcp', '192.0.2.1', 8801), '');
    await endpoints.publish('pod', { protocol: 'tcp', containerPort: 80, hostPort: 8801 });
    assert.equal(ask(neighbour, 'tcp', '192.0.2.1', 8801), 'pod 192.0.2.9');
  });

  test('check reports what changed inside the namespace, and leaves it to its owner', async () => {
    const { endpoints } = testbed.networks;
    assert.deepEqual(await endpoints.check('pod'), []);
    sh('ip -n pod address del 172.17.9.9/16 dev net1');
    const drift = await endpoints.check('pod');
    assert.deepEqual(
      drift.map(({ state, description }) => [state, description]),
      [
        ['absent', 'address 172.17.9.9/16 on net1'],
        ['absent', 'route default'],
      ],
    );
    sh('ip -n pod address add 172.17.9.9/16 brd 172.17.255.255 dev net1 && ip -n pod route add default via 172.17.0.1');
    assert.deepEqual(await endpoints.check('pod'), []);
  });

  const changes: [string, () => string][] = [
    ['its interface leaves the bridge', () => `ip link set ${pod.endpoint.hostLink} nomaster`],
    ['its interface is deleted', () => `ip link delete ${pod.endpoint.hostLink}`],
    ["its port's element is deleted", () => 'nft delete element ip netyard published_any { tcp . 8801 }'],
    ['the table is deleted', () => 'nft delete table ip netyard'],
  ];
  for (const [what, command] of changes) {
    test(`an endpoint is repaired when ${what}`, async () => {
      sh(command());
      await eventually('the neighbour is answered again', () =>
        /^pod /.test(askBriefly(neighbour, 'tcp', '192.0.2.1', 8801)),
      );
      assert.deepEqual(await testbed.networks.endpoints.check('pod'), []);
    });
  }

  test('it survives a restart of the daemon, and a change that happened meanwhile is repaired', async () => {
    await testbed.networks.close();
    sh(`ip link set ${pod.endpoint.hostLink} down`);
    await testbed.open().start([]);
    assert.deepEqual(
      testbed.networks.endpoints.list().map(({ name }) => name),
      ['pod', 'other'],
    );
    assert.equal(ask(neighbour, 'tcp', '192.0.2.1', 8801), 'pod 192.0.2.9');
  });

  test('detach leaves the namespace with its loopback interface only, and nothing on the host', async () => {
    const { endpoints } = testbed.networks;
    await endpoints.detach('pod');
    sh('ip netns delete other'); // without being detached first
    await endpoints.detach('other');
    assert.match(sh('ip -n pod -br link'), /^lo\s[^\n]*\n$/);
    await eventually('no interface of the endpoints is left', () => !/ny-[0-9a-f]{12}/.test(sh('ip -o link')));
    assert.doesNotMatch(sh('nft list ruleset'), /endpoint [0-9a-f]{12}|8801/);
    assert.equal(askBriefly(neighbour, 'tcp', '192.0.2.1', 8801), '');
    assert.deepEqual([testbed.store.endpoints(), testbed.store.leases(testbed.networks.get('bridge').id)], [[], []]);
    assert.deepEqual(await testbed.networks.cleanup({ dryRun: true }), []);
  });
});
