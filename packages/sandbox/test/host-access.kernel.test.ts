/** The host's access to macvlan networks with real packets of both families: routes, repair, other hosts, removal. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { openKernel, printCommands } from '@netyard/kernel';
import { ask, eventually, inFreshHost, pings, pingsBriefly, serve, sh } from '@netyard/testkit';
import type { SandboxConfig } from '../src/index.ts';
import { Testbed } from './testbed.ts';

const host = await inFreshHost(import.meta.url);
const neighbour = '/run/netns/neighbour';
const hostAddresses = ['192.0.2.250', '2001:db8::250'];

/** The segment: a parent with an address of the host, and another host. */
const addSegment = (): void => {
  sh(`ip netns list | grep -q neighbour || ip netns add neighbour
    ip link add lan0 type veth peer name eth0 netns neighbour
    ip address add 192.0.2.1/24 dev lan0; ip link set lan0 up
    ip -n neighbour address add 192.0.2.9/24 dev eth0; ip -n neighbour link set eth0 up`);
};

describe('access of the host to macvlan networks', host, () => {
  const kernel = openKernel();
  const testbed = new Testbed({ kernel });
  const { networks } = testbed;

  const run = async (name: string, addresses?: { v4: string }) => {
    const endpoints = [{ network: 'lan', ...(addresses === undefined ? {} : { addresses }) }];
    const overrides: Partial<SandboxConfig> = { mode: { kind: 'network', ref: 'lan' }, endpoints };
    const state = await testbed.run(name, overrides);
    const { v4, v6 } = state.endpoints[0]?.addresses ?? {};
    return { id: state.containerId, ns: state.netnsPath ?? '', addresses: [v4?.address ?? '', v6?.address ?? ''] };
  };
  type Running = Awaited<ReturnType<typeof run>>;
  let a: Running;
  let b: Running;
  const link = (): string => `mh-${testbed.networks.get('lan').id.slice(0, 12)}`;
  const isReached = ({ ns, addresses }: Running, ping = pingsBriefly): boolean =>
    addresses.every((address) => ping(undefined, address)) && hostAddresses.every((address) => ping(ns, address));

  before(async () => {
    addSegment();
    await networks.start([]);
    await networks.create({
      ...{ name: 'lan', driver: 'macvlan' },
      ipam: {
        v4: [{ subnet: '192.0.2.0/24', range: '192.0.2.64/26' }],
        v6: [{ subnet: '2001:db8::/64', range: '2001:db8::40/122' }],
      },
      enable: { v4: true, v6: true },
      options: { parent: 'lan0', 'netyard.host_access': hostAddresses.join(',') },
    });
  });
  after(async () => {
    await testbed.networks.close();
    kernel.close();
  });

  test('host and containers reach each other, also outside of the range', async () => {
    [a, b] = [await run('a'), await run('b', { v4: '192.0.2.200' })];
    for (const one of [a, b]) assert.ok(isReached(one, pings));
    assert.ok(pings(a.ns, '192.0.2.1'), 'the container reaches the parent’s address');
    assert.ok(pings(a.ns, b.addresses[0] ?? ''));
  });

  test('other hosts learn the MAC of the new interface for its own address only', async () => {
    const [address = ''] = a.addresses;
    const capture = await kernel.capture({
      ns: neighbour,
      link: 'eth0',
      filter: 'arp and ether src 02:42:c0:00:02:fa',
    });
    const gathered = (async () => {
      const frames: Uint8Array[] = [];
      for await (const some of capture.packets()) frames.push(...some.map(({ data }) => data));
      return frames;
    })();
    sh(`ip -n neighbour neighbour flush dev eth0; ip neighbour flush dev ${link()}`);
    for (const one of ['192.0.2.1', '192.0.2.250', address]) assert.ok(pings(neighbour, one), one);
    assert.ok(pings(undefined, address, '-I', '192.0.2.1'));
    capture.stop();
    // struct ether_arp of netinet/if_ether.h: operation and address of the sender.
    const seen = (await gathered).map(
      (data) => `${data[21] === 1 ? 'asks' : 'answers'} as ${data.slice(28, 32).join('.')}`,
    );
    assert.deepEqual([...new Set(seen)], ['asks as 192.0.2.250']);
  });

  test('containers of bridge networks reach them as other hosts of the segment, and not the other way round', async () => {
    const front = await testbed.run('front');
    const address = front.endpoints[0]?.addresses.v4?.address ?? '';
    await serve(a.ns, 'tcp', 80, 'a');
    assert.equal(ask(front.netnsPath, 'tcp', a.addresses[0] ?? '', 80), 'a 192.0.2.250');
    sh(`ip -n ${a.ns.split('/').at(-1)} route add 172.17.0.0/16 via 192.0.2.250`);
    assert.equal(pingsBriefly(a.ns, address), false);
    await testbed.remove(front.containerId);
  });

  test('the address is reserved, and shown as an auxiliary one', async () => {
    const [pool] = testbed.networks.get('lan').ipam.v4 ?? [];
    assert.deepEqual(pool?.auxAddresses, { 'netyard.host_access': '192.0.2.250' });
    await assert.rejects(run('c', { v4: '192.0.2.250' }), /Address already in use/);
  });

  const breakages: [string, (name: string) => string][] = [
    ['interface is deleted', (name) => `ip link delete ${name}`],
    ['interface is down', (name) => `ip link set ${name} down`],
    ['address is deleted', (name) => `ip address delete 192.0.2.250/32 dev ${name}`],
    ['route is deleted', (name) => `ip route delete 192.0.2.64 dev ${name}`],
    ['IPv6 route is deleted', (name) => `ip -6 route delete 2001:db8::40 dev ${name}`],
    ['interface is renamed', (name) => `ip link set ${name} down; ip link set ${name} name x0`],
  ];
  for (const [what, command] of breakages)
    test(`access returns when the ${what}`, async () => {
      sh(command(link()));
      for (const one of [a, b]) await eventually('host and container reach each other', () => isReached(one));
    });

  test('access returns when the parent is deleted and created again, and with a restarted daemon', async () => {
    sh('ip link delete lan0');
    addSegment();
    for (const one of [a, b]) await eventually('host and container reach each other', () => isReached(one));
    await testbed.networks.close();
    sh(`ip link delete ${link()}`);
    await testbed.open().start([a.id, b.id]);
    for (const one of [a, b]) await eventually('host and container reach each other', () => isReached(one));
  });

  test('a stopped container has no route, and has it again when it starts', async () => {
    await testbed.stop(b.id);
    assert.doesNotMatch(sh('ip route'), /192\.0\.2\.200/);
    await testbed.start(b.id);
    assert.ok(isReached(b, pings));
  });

  test('explain prints the commands', () => {
    const lines = testbed.networks
      .explain('a')
      .objects.flatMap((object) => printCommands({ action: 'create', object }));
    for (const line of [
      `ip link add link lan0 name ${link()} address 02:42:c0:00:02:fa type macvlan mode bridge`,
      `ip address add 192.0.2.250/32 dev ${link()}`,
      `ip route add 192.0.2.64/32 dev ${link()} src 192.0.2.250 scope link`,
    ])
      assert.ok(lines.includes(line), `${line}\n${lines.join('\n')}`);
  });

  test('nothing is left, and an interface without a record is recognised and removed', async () => {
    for (const { id } of [a, b]) await testbed.remove(id);
    assert.doesNotMatch(sh('ip route; ip -6 route'), /192\.0\.2\.(64|200)|2001:db8::4[01]/);
    const name = link();
    testbed.store.deleteNetwork(testbed.networks.get('lan').id);
    await testbed.networks.close();
    await testbed.open().start([]);
    assert.doesNotMatch(sh('ip -o link'), new RegExp(name));
  });
});
