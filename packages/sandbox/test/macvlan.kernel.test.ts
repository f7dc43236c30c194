/** Macvlan networks with real packets: neighbours of the parent, modes, repair, a restart of the daemon, removal. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { openKernel, printCommands } from '@netyard/kernel';
import { ask, eventually, inFreshHost, pings, pingsBriefly, serve, sh } from '@netyard/testkit';
import type { SandboxConfig } from '../src/index.ts';
import { advertise } from './router-advertisement.ts';
import { on, Testbed } from './testbed.ts';

const host = await inFreshHost(import.meta.url);
const neighbour = '/run/netns/neighbour';

/** The segment: a parent with an address of the host, and a neighbour that routes to 198.51.100.1. */
const addSegment = (): void => {
  sh(`ip netns list | grep -q neighbour || ip netns add neighbour
    ip link add lan0 type veth peer name eth0 netns neighbour
    ip address add 192.0.2.1/24 dev lan0; ip link set lan0 up; ip -n neighbour link set lo up
    ip -n neighbour address add 192.0.2.9/24 dev eth0; ip -n neighbour link set eth0 up
    ip -n neighbour address replace 198.51.100.1/32 dev lo`);
};

describe('macvlan networks', host, () => {
  const kernel = openKernel();
  const testbed = new Testbed({ kernel });
  const { networks } = testbed;

  const create = (name: string, options: Record<string, string>, pool: Record<string, string> = {}) => {
    const v4 = [{ subnet: '192.0.2.0/24', range: '192.0.2.64/26', ...pool }];
    return testbed.networks.create({ name, driver: 'macvlan', ipam: { v4 }, options });
  };
  const run = async (name: string, overrides: Partial<SandboxConfig>) => {
    const state = await testbed.run(name, overrides);
    const address = state.endpoints[0]?.addresses.v4?.address ?? '';
    return { ...state, ns: state.netnsPath ?? '', address };
  };
  type Running = Awaited<ReturnType<typeof run>>;
  let a: Running;
  let b: Running;
  const ip = ({ ns }: Running, command: string): string => sh(`ip -n ${ns.split('/').at(-1)} ${command}`);

  before(async () => {
    addSegment();
    await networks.start([]);
  });
  after(async () => {
    await testbed.networks.close();
    kernel.close();
  });

  test('containers have interfaces on the parent’s segment: they reach each other and its neighbours', async () => {
    await create('lan', { parent: 'lan0' });
    assert.equal(testbed.networks.get('lan').ipam.v4?.[0]?.gateway, undefined);
    [a, b] = [await run('a', on('lan')), await run('b', on('lan'))];
    assert.deepEqual([a.address, b.address], ['192.0.2.64', '192.0.2.65']);
    assert.match(ip(a, '-d link show eth0'), /02:42:c0:00:02:40[\s\S]* macvlan mode bridge/);
    assert.ok(pings(a.ns, b.address));
    assert.ok(pings(a.ns, '192.0.2.9'));
    await serve(a.ns, 'tcp', 80, 'a');
    assert.equal(
      ask(neighbour, 'tcp', a.address, 80),
      'a 192.0.2.9',
      'from the neighbour, without address translation',
    );
    assert.equal(pingsBriefly(undefined, a.address), false, 'the host reaches no container, as with Docker');
    assert.equal(ip(a, 'route show default'), '');
  });

  test('a stopped container starts again at once with its address', async () => {
    for (let round = 0; round < 3; round += 1) {
      await testbed.stop(b.containerId);
      await testbed.start(b.containerId);
    }
    await eventually('it is reached', () => pingsBriefly(neighbour, b.address));
  });

  test('a requested gateway is the default route', async () => {
    await testbed.remove(a.containerId);
    await testbed.remove(b.containerId);
    await testbed.networks.remove('lan');
    await create('lan', { parent: 'lan0' }, { gateway: '192.0.2.9' });
    [a, b] = [await run('a', on('lan')), await run('b', on('lan'))];
    assert.match(ip(a, 'route show default'), /^default via 192\.0\.2\.9 dev eth0/);
    assert.ok(pings(a.ns, '198.51.100.1'));
  });

  test('a container of a bridge network is connected, and disconnected', async () => {
    await testbed.networks.create({ name: 'front', driver: 'bridge', ipam: { v4: [{ subnet: '10.5.0.0/24' }] } });
    const both = await run('both', on('front'));
    await testbed.networks.connect('lan', both.containerId, { network: 'lan', addresses: { v4: '192.0.2.99' } });
    assert.ok(pings(neighbour, '192.0.2.99'));
    assert.ok(pings(both.ns, '10.5.0.1'));
    await testbed.networks.disconnect('lan', both.containerId, false);
    assert.equal(pingsBriefly(neighbour, '192.0.2.99'), false);
    assert.doesNotMatch(ip(both, '-o link'), /eth1/);
    await testbed.remove(both.containerId);
    await testbed.networks.remove('front');
  });

  test('a network with IPv6 has both families, and a default route of each through a requested gateway', async () => {
    sh(`ip -n neighbour address replace 2001:db8::9/64 dev eth0 nodad
      ip -n neighbour address replace 2001:db8:1::1/128 dev lo nodad`);
    await testbed.networks.create({
      ...{ name: 'dual', driver: 'macvlan', options: { parent: 'lan0' } },
      ipam: {
        v4: [{ subnet: '10.8.0.0/24', gateway: '10.8.0.200' }],
        v6: [{ subnet: '2001:db8::/64', range: '2001:db8::100/120', gateway: '2001:db8::9' }],
      },
    });
    const [c, d] = [await run('c', on('dual')), await run('d', on('dual'))];
    const ofD = d.endpoints[0]?.addresses.v6?.address ?? '';
    assert.equal(ofD, '2001:db8::101');
    for (const address of [d.address, ofD, '2001:db8::9', '2001:db8:1::1']) assert.ok(pings(c.ns, address), address);
    assert.match(ip(c, '-6 route show default'), /^default via 2001:db8::9 dev eth0/);
    assert.match(ip(c, 'route show default'), /^default via 10\.8\.0\.200 dev eth0/);
    advertise(neighbour);
    assert.doesNotMatch(ip(c, '-6 route show default'), /proto ra/);
    for (const { containerId } of [c, d]) await testbed.remove(containerId);
    await testbed.networks.remove('dual');
  });

  test('without a requested IPv6 gateway containers follow the routers of the segment, as other hosts do', async () => {
    const create6 = (name: string, internal: boolean, subnet: string) =>
      testbed.networks.create({
        ...{ name, driver: 'macvlan', options: { parent: 'lan0' }, internal },
        ipam: { v6: [{ subnet }] },
      });
    await create6('routed6', false, 'fd00:8::/64');
    await create6('internal6', true, 'fd00:9::/64');
    const [c, d] = [await run('c', on('routed6')), await run('d', on('internal6'))];
    await eventually('there is a default route from an advertisement', () => {
      advertise(neighbour);
      return /^default via fe80::\S+ dev eth0 proto ra/.test(ip(c, '-6 route show default'));
    });
    assert.equal(ip(d, '-6 route show default'), '');
    for (const { containerId } of [c, d]) await testbed.remove(containerId);
    for (const name of ['routed6', 'internal6']) await testbed.networks.remove(name);
  });

  const breakages: [string, string][] = [
    ['is deleted', 'link delete eth0'],
    ['is down', 'link set eth0 down'],
    ['has another mode', 'link set eth0 type macvlan mode private'],
    ['has no address', 'address flush dev eth0'],
  ];
  for (const [what, command] of breakages)
    test(`an interface that ${what} is repaired`, async () => {
      ip(a, command);
      await eventually('it is reached with its default route', () =>
        [b.address, '198.51.100.1'].every((address) => pingsBriefly(a.ns, address)),
      );
    });

  test('containers return when the parent is deleted and created again', async () => {
    sh('ip link delete lan0');
    addSegment();
    for (const one of [a, b]) await eventually('it reaches the neighbour', () => pingsBriefly(one.ns, '198.51.100.1'));
  });

  test('a restarted daemon repairs what changed meanwhile', async () => {
    await testbed.networks.close();
    ip(a, 'link delete eth0');
    await testbed.open().start([a, b].map(({ containerId }) => containerId));
    await eventually('it is reached', () => pingsBriefly(neighbour, a.address));
    assert.ok(pings(a.ns, b.address));
  });

  test('explain prints the commands that create the interface', () => {
    const lines = testbed.networks
      .explain('a')
      .objects.flatMap((object) => printCommands({ action: 'create', object }));
    const netns = a.ns.split('/').at(-1);
    assert.ok(
      lines.includes(
        `ip link add link lan0 name eth0 netns ${netns} address ${a.endpoints[0]?.mac} type macvlan mode bridge`,
      ),
      lines.join('\n'),
    );
  });

  test('containers of a private network reach the neighbour and not each other', async () => {
    await create(
      'private',
      { parent: 'lan0', macvlan_mode: 'private' },
      { subnet: '10.6.0.0/24', range: '10.6.0.0/25' },
    );
    sh('ip -n neighbour address add 10.6.0.200/24 dev eth0');
    const [c, d] = [await run('c', on('private')), await run('d', on('private'))];
    assert.ok(pings(c.ns, '10.6.0.200'));
    assert.ok(pings(d.ns, '10.6.0.200'));
    assert.equal(pingsBriefly(c.ns, d.address), false);
    for (const { containerId } of [c, d]) await testbed.remove(containerId);
    await testbed.networks.remove('private');
  });

  test('a parent is shared, except in mode passthru', async () => {
    const { id } = testbed.networks.get('lan');
    const other = { subnet: '10.7.0.0/24', range: '10.7.0.0/25' };
    await assert.rejects(create('whole', { parent: 'lan0', macvlan_mode: 'passthru' }, other), {
      message: `cannot use mode passthru, macvlan network ${id} is already using parent interface lan0`,
    });
    for (const { containerId } of [a, b]) await testbed.remove(containerId);
    await testbed.networks.remove('lan');
    const whole = await create('whole', { parent: 'lan0', macvlan_mode: 'passthru' }, other);
    await assert.rejects(create('lan', { parent: 'lan0' }), {
      message: `macvlan network ${whole.id} is already using parent interface lan0 in mode passthru`,
    });
    sh('ip -n neighbour address add 10.7.0.200/24 dev eth0');
    const one = await run('one', on('whole'));
    assert.ok(pings(one.ns, '10.7.0.200'));
    await testbed.remove(one.containerId);
    await testbed.networks.remove('whole');
  });

  test('removed networks and containers leave nothing', async () => {
    assert.deepEqual(
      testbed.store.networks().map(({ name }) => name),
      ['bridge', 'host', 'none'],
    );
    await eventually('no namespace is left', () => !/ny-/.test(sh('ip netns')));
    assert.doesNotMatch(sh('ip -o link'), /macvlan|ny-[0-9a-f]{12}/);
    assert.deepEqual(await testbed.networks.cleanup({ dryRun: true }), []);
  });
});
