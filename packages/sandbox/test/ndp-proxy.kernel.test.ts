/**
 * `netyard.ndp_proxy`: a router that has no route to a network's prefix reaches its containers, whose addresses the host
 * answers for on the uplink.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { openKernel, printShell } from '@netyard/kernel';
import { addUplink, eventually, inFreshHost, pings, sh } from '@netyard/testkit';
import { refuses } from './fake-testbed.ts';
import { on, Testbed } from './testbed.ts';

const host = await inFreshHost(import.meta.url);

describe('the NDP proxy', host, () => {
  const kernel = openKernel();
  const testbed = new Testbed({ kernel });
  const key = 'netyard.ndp_proxy';
  const create = (name: string, options: Record<string, string>, ipam: object, internal = false) =>
    testbed.networks.create({ name, driver: 'bridge', options, ipam, internal });
  const dual = { v4: [{ subnet: '10.7.0.0/24' }], v6: [{ subnet: '2001:db8::7:0/112' }] };
  const run = (name: string) => testbed.run(name, on('front'));
  const proxies = (): string[] =>
    [...sh('ip -6 neighbour show proxy').matchAll(/^(\S+) dev (\S+)/gm)]
      .map(([, address, link]) => `${address} ${link}`)
      .sort();
  type Running = Awaited<ReturnType<typeof run>>;
  let web: Running;

  before(async () => {
    addUplink();
    // A router whose prefix is on-link, as those of many hosting companies.
    sh(`ip address add 2001:db8::1/64 dev up0 nodad
      ip netns add router; ip link add r0 type veth peer name eth0 netns router
      ip link set r0 master up0 up; ip -n router link set eth0 up; ip -n router address add 2001:db8::fe/64 dev eth0 nodad`);
    await testbed.networks.start([]);
    await create('front', { [key]: 'up0', 'com.docker.network.bridge.gateway_mode_ipv6': 'routed' }, dual);
    web = await run('web');
  });
  after(async () => {
    await testbed.close();
    kernel.close();
  });

  test('a router that has the prefix on its link reaches a container', () => {
    assert.equal(web.endpoints[0]?.addresses.v6?.address, '2001:db8::7:2');
    assert.deepEqual(proxies(), ['2001:db8::7:2 up0']);
    assert.ok(pings('/run/netns/router', '2001:db8::7:2'));
  });

  test('explain prints the entry', () => {
    const script = printShell(testbed.networks.explain(web.containerId));
    assert.match(script, /^ip neighbour replace proxy 2001:db8::7:2 dev up0 protocol 78$/m);
    assert.match(script, /^sysctl -q -w net\.ipv6\.conf\.up0\.proxy_ndp=1$/m);
  });

  test('it is restored when the uplink was down, and when it was created again', async () => {
    sh('ip link set up0 down');
    assert.deepEqual(proxies(), []);
    sh('ip link set up0 up');
    await eventually('the entry is there again', () => proxies().length === 1);
  });

  test('a restart of the daemon restores it, and deletes those of no container', async () => {
    await testbed.networks.close();
    sh('ip -6 neighbour delete proxy 2001:db8::7:2 dev up0');
    sh('ip -6 neighbour add proxy 2001:db8::9:9 dev up0 protocol 78; ip -6 neighbour add proxy 2001:db8::9:a dev up0');
    await testbed.open().start([web.containerId]);
    assert.deepEqual(proxies(), ['2001:db8::7:2 up0', '2001:db8::9:a up0']);
    sh('ip -6 neighbour delete proxy 2001:db8::9:a dev up0');
  });

  test('connect, disconnect and stop change it', async () => {
    const other = await testbed.run('other');
    await testbed.networks.connect('front', other.containerId, { network: 'front' });
    assert.equal(proxies().length, 2);
    await testbed.networks.disconnect('front', other.containerId, false);
    assert.deepEqual(proxies(), ['2001:db8::7:2 up0']);
    await testbed.remove(other.containerId);
    await testbed.remove(web.containerId);
    assert.deepEqual(proxies(), []);
  });

  const rejected: [string, string, object, boolean, Parameters<typeof refuses>][] = [
    ['a missing interface', 'up1', dual, false, ['failed', `interface up1 of ${key} was not found on the host`]],
    ['an invalid name', 'a/b', dual, false, ['invalid', `failed to parse ${key} value: a/b (invalid interface name)`]],
    [
      'a network without IPv6',
      'up0',
      { v4: [] },
      false,
      ['invalid', `failed to parse ${key} value: up0 (the network has no IPv6)`],
    ],
    [
      'an internal network',
      'up0',
      { v6: [] },
      true,
      ['invalid', `failed to parse ${key} value: up0 (the network is internal)`],
    ],
  ];
  for (const [what, link, ipam, internal, error] of rejected)
    test(`${what} is rejected`, async () => {
      await assert.rejects(create('back', { [key]: link }, ipam, internal), refuses(...error));
    });
});
