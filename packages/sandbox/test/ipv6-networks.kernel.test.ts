/** IPv6 networks with real packets: dual stack and IPv6 only, gateways per family, repair, a restart of the daemon, removal. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { openKernel, printShell } from '@netyard/kernel';
import { eventually, inFreshHost, pings, pingsBriefly, sh } from '@netyard/testkit';
import type { EndpointConfig, IpamPool, SandboxConfig } from '../src/index.ts';
import { Testbed } from './testbed.ts';

const host = await inFreshHost(import.meta.url);

const on = (...endpoints: EndpointConfig[]): Partial<SandboxConfig> => ({
  mode: { kind: 'network', ref: endpoints[0]?.network ?? '' },
  endpoints,
});

describe('IPv6 networks', host, () => {
  const kernel = openKernel();
  const testbed = new Testbed({ kernel, settings: { daemonId: 'one' } });
  const bridgeOf = (name: string): string => `br-${testbed.networks.get(name).id.slice(0, 12)}`;

  const create = (name: string, v4: IpamPool[] | undefined, v6: IpamPool[] | undefined, internal = false) =>
    testbed.networks.create({
      ...{ name, driver: 'bridge', internal },
      ipam: { ...(v4 ? { v4 } : {}), ...(v6 ? { v6 } : {}) },
    });
  const run = async (name: string, overrides: Partial<SandboxConfig>) => {
    const state = await testbed.run(name, overrides);
    const ns = state.netnsPath ?? '';
    return {
      ...{ ...state, ns, v6: state.endpoints[0]?.addresses.v6?.address ?? '' },
      inside: (command: string) => sh(`nsenter --net=${ns} ${command}`),
    };
  };
  type Running = Awaited<ReturnType<typeof run>>;
  let a: Running;
  let b: Running;
  let only: Running;

  before(async () => {
    await testbed.networks.start([]);
    await create('dual', [{ subnet: '10.1.0.0/24' }], [{ subnet: 'fd00:1::/64' }]);
    await create('six', undefined, []);
    a = await run('a', on({ network: 'dual' }));
    b = await run('b', on({ network: 'dual', addresses: { v6: 'FD00:1::0:42' } }));
    only = await run('only', on({ network: 'six' }));
  });
  after(async () => {
    await testbed.close();
    kernel.close();
  });

  test('containers of a network reach each other and the host by both families', () => {
    assert.deepEqual([a.v6, b.v6], ['fd00:1::2', 'fd00:1::42']);
    for (const target of ['fd00:1::42', 'fd00:1::1', '10.1.0.3']) assert.ok(pings(a.ns, target), target);
    assert.ok(pings(undefined, 'fd00:1::2'));
    assert.match(a.inside('ip -6 route show default'), /^default via fd00:1::1 dev eth0 /);
  });

  test('a requested address keeps its MAC, so that entries of neighbours for it stay right', async () => {
    const six = 'fdad:3540:bb80::99';
    const cases = [
      on({ network: 'dual', addresses: { v6: 'fd00:1::99' } }),
      on({ network: 'six', addresses: { v6: six } }),
    ];
    for (const request of cases) {
      const first = await run('first', request);
      await testbed.remove(first.containerId);
      const other = await run('other', on({ network: 'dual' })); // takes the next IPv4 address
      const second = await run('second', request);
      assert.equal(second.endpoints[0]?.mac, first.endpoints[0]?.mac);
      assert.match(second.inside('ip link show dev eth0'), new RegExp(`link/ether ${first.endpoints[0]?.mac} `));
      assert.ok(pings(request === cases[0] ? a.ns : only.ns, second.v6));
      for (const { containerId } of [other, second]) await testbed.remove(containerId);
    }
  });

  test('addresses can be used at once, and the settings are those of Docker', () => {
    assert.match(a.inside('ip -6 -o address show dev eth0 scope global'), /inet6 fd00:1::2\/64 scope global nodad/);
    assert.match(sh(`ip -6 -o address show dev ${bridgeOf('dual')} scope global`), /inet6 fd00:1::1\/64 .*nodad/);
    const settings = (link: string): string =>
      `sysctl -n net.ipv6.conf.${link}.disable_ipv6 net.ipv6.conf.${link}.accept_ra`;
    assert.equal(a.inside(settings('eth0')), '0\n0\n');
    assert.equal(sh(settings(bridgeOf('dual'))), '0\n0\n');
    assert.match(a.inside('ip -6 -o address show dev lo'), / ::1\/128 /);
  });

  test("the host's ends of pairs have no IPv6, nor routes", () => {
    for (const { endpoints } of [a, b, only]) {
      const link = endpoints[0]?.hostLink ?? '';
      assert.match(sh(`ip -o link show dev ${link}`), /[<,]UP,LOWER_UP[,>]/);
      assert.equal(sh(`ip -6 address show dev ${link}; ip -6 route show table all dev ${link}`), '');
    }
  });

  test("an IPv6-only network gets a /64 that is derived from the daemon's id", () => {
    const [pool] = testbed.networks.get('six').ipam.v6 ?? [];
    // printf one | sha256sum: 7692c3ad3540bb80…
    assert.deepEqual(pool, { subnet: 'fdad:3540:bb80::/64', gateway: 'fdad:3540:bb80::1' });
    assert.equal(only.endpoints[0]?.addresses.v4, undefined);
    assert.equal(only.v6, 'fdad:3540:bb80::2');
    assert.ok(pings(only.ns, 'fdad:3540:bb80::1'));
    assert.equal(only.inside('ip -4 -o address show dev eth0'), '');
  });

  test('interfaces of networks without IPv6 have none', async () => {
    await create('four', [{ subnet: '10.4.0.0/24' }], undefined);
    const four = await run('four', on({ network: 'four' }));
    assert.equal(four.inside('ip -6 -o address show dev eth0'), '');
    assert.equal(sh(`ip -6 -o address show dev ${bridgeOf('four')}`), '');
    await testbed.remove(four.containerId);
  });

  test('the default routes of the families are chosen apart, and follow connects and disconnects', async () => {
    await create('apart', undefined, [{ subnet: 'fd00:2::/64' }]);
    const both = await run('both', on({ network: 'four' }, { network: 'apart' }));
    const routes = (): string[] =>
      ['-4', '-6'].map((family) => /via (\S+)/.exec(both.inside(`ip ${family} route show default`))?.[1] ?? '');
    assert.deepEqual(routes(), ['10.4.0.1', 'fd00:2::1']);
    await testbed.networks.connect('dual', both.containerId, { network: 'dual' });
    assert.deepEqual(routes(), ['10.1.0.1', 'fd00:1::1'], 'a network with both families precedes others');
    await testbed.networks.connect('six', both.containerId, { network: 'six', gatewayPriority: 1 });
    assert.deepEqual(routes(), ['10.1.0.1', 'fdad:3540:bb80::1']);
    for (const name of ['six', 'dual']) await testbed.networks.disconnect(name, both.containerId, false);
    assert.deepEqual(routes(), ['10.4.0.1', 'fd00:2::1']);
    await testbed.remove(both.containerId);
  });

  test('an internal network has no default route; a container without IPv6 gets no address', async () => {
    await create('inside', undefined, [{ subnet: 'fd00:3::/64' }], true);
    const one = await run('one', on({ network: 'inside' }));
    assert.equal(one.inside('ip -6 route show default'), '');
    assert.ok(pings(one.ns, 'fd00:3::1'));
    const sysctls = { 'net.ipv6.conf.all.disable_ipv6': '1' };
    const without = await run('without', { ...on({ network: 'dual' }), sysctls });
    assert.equal(without.v6, '');
    assert.ok(pings(without.ns, '10.1.0.1'));
    for (const { containerId } of [one, without]) await testbed.remove(containerId);
  });

  const isWhole = (): boolean =>
    a.inside('ip -6 route show default').startsWith('default via fd00:1::1') &&
    a.inside('ip -6 route show fd00:1::/64').includes('dev eth0') &&
    sh('ip -6 route show fd00:1::/64; ip -6 -o address show scope global').split(`${bridgeOf('dual')} `).length === 3 &&
    a.inside('ip -6 -o address show dev lo').includes('::1/128') &&
    a.inside('sysctl -n net.ipv6.conf.eth0.disable_ipv6') === '0\n' &&
    pingsBriefly(a.ns, 'fd00:1::42') &&
    pingsBriefly(a.ns, 'fd00:1::1');
  const changes: [string, () => string][] = [
    ['of its address', () => `nsenter --net=${a.ns} ip address delete fd00:1::2/64 dev eth0`],
    ['of its default route', () => `nsenter --net=${a.ns} ip -6 route delete default`],
    ['of the route to its subnet', () => `nsenter --net=${a.ns} ip -6 route delete fd00:1::/64`],
    ['of the address of lo', () => `nsenter --net=${a.ns} ip address delete ::1/128 dev lo`],
    ['of IPv6', () => `nsenter --net=${a.ns} sysctl -qw net.ipv6.conf.eth0.disable_ipv6=1`],
    ["of the bridge's address", () => `ip address delete fd00:1::1/64 dev ${bridgeOf('dual')}`],
    ["of the bridge's route", () => `ip -6 route delete fd00:1::/64 dev ${bridgeOf('dual')}`],
    ['of IPv6 on the bridge', () => `sysctl -qw net.ipv6.conf.${bridgeOf('dual')}.disable_ipv6=1`],
    ['of the bridge', () => `ip link delete ${bridgeOf('dual')}`],
    ['because the bridge is down', () => `ip link set ${bridgeOf('dual')} down; ip link set ${bridgeOf('dual')} up`],
  ];
  for (const [what, command] of changes)
    test(`the loss ${what} is repaired`, async () => {
      assert.ok(isWhole());
      sh(command());
      await eventually('all is as before', isWhole);
    });

  test('a restarted daemon repairs what changed meanwhile, and containers keep their addresses', async () => {
    await testbed.networks.close();
    sh(`ip link delete ${bridgeOf('dual')}`);
    a.inside('ip -6 route delete default');
    await testbed.open({ daemonId: 'one' }).start([a, b, only].map(({ containerId }) => containerId));
    await eventually('all is as before', isWhole);
    await testbed.stop(b.containerId);
    const again = await testbed.start(b.containerId);
    assert.equal(again.endpoints[0]?.addresses.v6?.address, 'fd00:1::42');
  });

  test('what explain prints makes the same network on an empty host', () => {
    const script = join(testbed.directory, 'explain.sh');
    writeFileSync(script, printShell(testbed.networks.explain(a.containerId)));
    const ping = `nsenter --net=${a.ns} ping -c 1 -w 10 fd00:1::1`;
    const output = sh(`unshare --net --mount sh -ec 'mount -t tmpfs tmpfs /run/netns; sh ${script}; ${ping}'`);
    assert.match(output, / 0% packet loss/);
  });

  test('removed networks leave nothing behind', async () => {
    for (const { containerId } of [a, b, only]) await testbed.remove(containerId);
    assert.deepEqual(testbed.store.leases(testbed.networks.get('dual').id), []);
    for (const name of ['dual', 'six', 'four', 'apart', 'inside']) await testbed.networks.remove(name);
    await eventually('no interface is left', () => !/\b(?:br-|ny-)[0-9a-f]{12}/.test(sh('ip -o link')));
    assert.equal(sh('ip -6 route show table main'), '');
    assert.deepEqual(await testbed.networks.cleanup({ dryRun: true }), []);
  });
});
