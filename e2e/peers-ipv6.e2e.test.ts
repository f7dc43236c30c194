/**
 * Peers with IPv6: containers of two hosts reach each other by both families after one command on each; a third gets
 * nothing. First between IPv4 addresses of the hosts, then between IPv6 addresses.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { cannotRun } from './support/engines.ts';
import { openHosts, type TestHost } from './support/host.ts';
import { takeInventory, untilInventory } from './support/leftovers.ts';

interface Member {
  host: TestHost;
  address: string;
  /** The subnets of its default bridge, IPv4 first, and the addresses of its container. */
  subnets: string[];
  container: string[];
}

describe('peers with IPv6', { skip: cannotRun('netyard') }, () => {
  const members: Member[] = [];
  let initial: Awaited<ReturnType<typeof takeInventory>>;
  before(async () => {
    const hosts = await openHosts('netyard', ['server1', 'server2', 'server3'], {
      images: ['netyard-test'],
      bips: ['192.168.11.1/24', '192.168.12.1/24', '192.168.13.1/24'],
      daemonOptions: ['--ipv6'],
    });
    for (const [index, host] of hosts.entries()) {
      await host.docker('run', '-d', '--name', 'web', 'netyard-test', 'sleep', '10000');
      const subnets = await host.docker(
        'network',
        'inspect',
        '-f',
        '{{range .IPAM.Config}}{{.Subnet}} {{end}}',
        'bridge',
      );
      const both = '{{.NetworkSettings.IPAddress}} {{.NetworkSettings.GlobalIPv6Address}}';
      const container = await host.docker('inspect', '-f', both, 'web');
      const [address, split] = [`172.16.2.${101 + index}`, (text: string) => text.trim().split(' ')];
      members.push({ host, address, subnets: split(subnets), container: split(container) });
    }
    initial = await takeInventory(member(0).host);
  });
  after(() => members[0]?.host.close());

  const member = (index: number): Member => {
    const found = members[index];
    assert.ok(found);
    return found;
  };
  const pings = async ({ host }: Member, to: Member, family: 0 | 1, options = '-W 1'): Promise<boolean> =>
    (await host.tryDocker('exec', 'web', 'ping', '-c', '1', ...options.split(' '), to.container[family] ?? ''))
      .status === 0;
  const add = (name: string, { address, subnets }: Member): string[] => [
    ...['peer', 'add', name, '--address', address, ...subnets.flatMap((subnet) => ['--subnet', subnet])],
  ];

  test('after peer add on both hosts their containers reach each other by both families', async () => {
    const [one, two] = [member(0), member(1)];
    assert.deepEqual([one.subnets.length, new Set(members.map(({ subnets }) => subnets[1])).size], [2, 3]);
    assert.ok(!(await pings(one, two, 1)));
    assert.match(await one.host.netyard(...add('server2', two), '--dry-run'), /^ip route add fd.*dev ny-vxlan/m);
    await one.host.netyard(...add('server2', two));
    assert.ok(!(await pings(one, two, 1)), 'one side alone is not enough');
    await two.host.netyard(...add('server1', one));
    for (const family of [0, 1] as const) {
      assert.ok(await pings(one, two, family, '-W 30'));
      assert.ok(await pings(two, one, family, '-W 30'));
    }
    assert.ok(await pings(one, two, 1, '-W 30 -s 1402'), 'of the MTU of the tunnel');
    const { status, stderr } = await one.host.tryNetyard(...add('x', member(2)), '--via', 'route');
    assert.deepEqual([status, /cannot be reached by a route via the IPv4 address/.test(stderr)], [1, true]);
  });

  test('a third host, which adds the first, gets no packet through', async () => {
    const third = member(2);
    await third.host.netyard(...add('server1', member(0)));
    for (const family of [0, 1] as const) assert.ok(!(await pings(third, member(0), family)));
  });

  test('peers stay connected while the daemon is down, and are restored at its start', async () => {
    const { host } = member(0);
    await host.killDaemon();
    assert.ok(await pings(member(1), member(0), 1, '-W 30'));
    await host.sh('ip -6 route flush dev ny-vxlan');
    await host.restartDaemon();
    assert.ok(await pings(member(1), member(0), 1, '-W 30'));
    assert.match(await host.netyard('peer', 'ls'), /server2 .* ready/);
  });

  test('peer rm leaves nothing', async () => {
    await member(0).host.netyard('peer', 'rm', 'server2');
    await untilInventory(member(0).host, initial);
    assert.ok(!(await pings(member(1), member(0), 1)));
  });

  describe('on hosts without IPv4 addresses', () => {
    const link = 'ens33';
    const over = (index: number): Member => ({ ...member(index), address: `2001:db8::10${index + 1}` });
    before(async () => {
      for (const index of [1, 2]) await member(index).host.netyard('peer', 'rm', 'server1');
      for (const index of [0, 1, 2])
        await member(index).host.sh(
          `ip -4 address flush dev ${link} && ip address add ${over(index).address}/64 dev ${link} nodad`,
        );
      initial = await takeInventory(member(0).host);
    });

    test('after peer add with IPv6 addresses, routes of both families lead to the containers', async () => {
      const [one, two] = [over(0), over(1)];
      const printed = await one.host.netyard(...add('server2', two), '--dry-run');
      assert.match(printed, /^ip route add 192\.168\.12\.0\/24 via inet6 2001:db8::102 dev ens33 /m);
      assert.match(printed, /^ip route add fd.*\/64 via 2001:db8::102 dev ens33 /m);
      await one.host.netyard(...add('server2', two));
      await two.host.netyard(...add('server1', one));
      for (const [family, size] of [
        [0, 1472],
        [1, 1452],
      ] as const) {
        assert.ok(await pings(one, two, family, `-W 30 -s ${size}`), 'of the MTU of the link');
        assert.ok(await pings(two, one, family, '-W 30'));
      }
      assert.match(await one.host.netyard('peer', 'ls'), /server2 +2001:db8::102 .* route dev ens33 .* ready/);
    });

    test('with --via vxlan on both hosts, a tunnel over IPv6 carries both families', async () => {
      const [one, two] = [over(0), over(1)];
      await one.host.netyard('peer', 'rm', 'server2');
      await two.host.netyard('peer', 'rm', 'server1');
      await untilInventory(one.host, initial);
      await one.host.netyard(...add('server2', two), '--via', 'vxlan');
      await two.host.netyard(...add('server1', one), '--via', 'vxlan');
      for (const [family, size] of [
        [0, 1402],
        [1, 1382],
      ] as const)
        assert.ok(await pings(one, two, family, `-W 30 -s ${size}`), 'of the MTU of the tunnel');
      const explained = await one.host.netyard('explain', 'server2');
      assert.match(
        explained,
        /^ip link add name ny-vxlan6 .* mtu 1430 type vxlan id 28281 local 2001:db8::101 dstport 4789/m,
      );
      assert.match(explained, /^bridge fdb add 06:\S+ dev ny-vxlan6 dst 2001:db8::102$/m);
      await over(2).host.netyard(...add('server1', one), '--via', 'vxlan');
      for (const family of [0, 1] as const) assert.ok(!(await pings(over(2), one, family)), 'from a third host');
    });

    test('the daemon restores the tunnel at its start', async () => {
      const { host } = member(0);
      await host.killDaemon();
      assert.ok(await pings(member(1), member(0), 1, '-W 30'));
      await host.sh('ip link delete ny-vxlan6');
      await host.restartDaemon();
      for (const family of [0, 1] as const) assert.ok(await pings(member(1), member(0), family, '-W 30'));
    });

    test('addresses of another family and link-local ones are rejected, with the reason', async () => {
      const { host } = member(0);
      for (const [address, message] of [
        ['172.16.2.103', /172\.16\.2\.103 is an IPv4 address, but this host has none/],
        ['fe80::1%ens33', /fe80::1%ens33 cannot be the address of a peer: it is link-local/],
      ] as const) {
        const { status, stderr } = await host.tryNetyard(...add('x', { ...member(2), address }));
        assert.equal(status, 1);
        assert.match(stderr, message);
      }
    });

    test('peer rm leaves nothing', async () => {
      await member(0).host.netyard('peer', 'rm', 'server2');
      await untilInventory(member(0).host, initial);
      assert.ok(!(await pings(member(1), member(0), 1)));
    });
  });
});
