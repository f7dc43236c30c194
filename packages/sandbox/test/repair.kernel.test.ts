/** Tests that changes by other programs to Netyard's kernel objects are repaired, on a real kernel. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { openKernel } from '@netyard/kernel';
import {
  addNeighbour,
  addUplink,
  askBriefly,
  eventually,
  inFreshHost,
  pings,
  pingsBriefly,
  serve,
  sh,
  succeeds,
} from '@netyard/testkit';
import { Testbed } from './testbed.ts';

const host = await inFreshHost(import.meta.url);

const read = (key: string): string => sh(`sysctl -n ${key}`).trim();

describe('repair', host, () => {
  const kernel = openKernel();
  const testbed = new Testbed({ kernel });
  let link = '';
  let address = '';

  before(async () => {
    sh('sysctl -qw net.ipv4.ip_forward=0');
    addUplink();
    addNeighbour('neighbour', 9);
    sh('ip -n neighbour route add default via 192.0.2.1');
    await testbed.networks.start([]);
    const web = await testbed.run('web', { ports: [{ protocol: 'tcp', containerPort: 80, hostPort: 8801 }] });
    link = web.endpoints[0]?.hostLink ?? '';
    address = web.endpoints[0]?.addresses.v4?.address ?? '';
    await serve(web.netnsPath, 'tcp', 80, 'web');
  });

  after(async () => {
    await testbed.close();
    kernel.close();
  });

  const reached = (): boolean => askBriefly('/run/netns/neighbour', 'tcp', '192.0.2.1', 8801) === 'web 192.0.2.9';

  const links: [string, () => string][] = [
    ['is down', () => `ip link set ${link} down`],
    ['is taken out of the bridge', () => `ip link set ${link} nomaster`],
    ['is put into another bridge', () => `ip link add br9 type bridge && ip link set ${link} master br9`],
    ['has another name', () => `ip link set ${link} down && ip link set ${link} name other9 && ip link set other9 up`],
  ];
  for (const [what, command] of links) {
    test(`a container's link that ${what} is repaired`, async () => {
      await eventually('the container is reached', reached);
      sh(command());
      await eventually('the container is reached again', reached);
      await eventually('it is a port of the bridge', () =>
        / master docker0 /.test(sh(`ip -o link show ${link} || true`)),
      );
    });
  }

  test("a container's link with another MTU is repaired", async () => {
    sh(`ip link set ${link} mtu 1300`);
    await eventually('the MTU is 1500', () => sh(`ip -o link show ${link}`).includes(' mtu 1500 '));
  });

  const bridges: [string, string][] = [
    ['loses its address', 'ip address flush dev docker0'],
    ['loses the route to its subnet', 'ip route delete 172.17.0.0/16 dev docker0'],
    ['is down', 'ip link set docker0 down'],
    ['has another name', 'ip link set docker0 down && ip link set docker0 name other0 && ip link set other0 up'],
    ['is deleted', 'ip link delete docker0'],
  ];
  for (const [what, command] of bridges) {
    test(`a bridge that ${what} is repaired`, async () => {
      sh(command);
      await eventually('the host reaches the container', () => pingsBriefly(undefined, address));
      await eventually('the neighbour reaches the container', reached);
      await eventually('it has its name', () => succeeds(undefined, 'ip', 'link', 'show', 'docker0'));
    });
  }

  for (const key of ['ip_forward', 'conf.docker0.forwarding', 'conf.docker0.route_localnet']) {
    test(`net.ipv4.${key} is set to 1 again`, async () => {
      sh(`sysctl -qw net.ipv4.${key}=0`);
      await eventually('it is 1', () => read(`net.ipv4.${key}`) === '1');
    });
  }

  const additions: [string, string, RegExp][] = [
    ['a rule', 'nft insert rule ip netyard to_bridge accept', /chain to_bridge \{\s+accept/],
    ['a chain', 'nft add chain ip netyard foreign "{ type filter hook forward priority 0; }"', /chain foreign \{/],
    ['a set', 'nft add set ip netyard foreign "{ type ipv4_addr; }"', /set foreign/],
    ['an element of a network', `nft add element ip netyard gateways '{ 10.9.9.9 }'`, /10\.9\.9\.9/],
    ['a published port', `nft add element ip netyard published_any '{ tcp . 9999 : 10.9.9.9 . 80 }'`, /9999/],
  ];
  for (const [what, command, trace] of additions) {
    test(`${what} that another program adds to Netyard's table is deleted`, async () => {
      sh(command);
      await eventually('it is gone', () => !trace.test(sh('nft list table ip netyard')));
      await eventually('the container is reached', reached);
    });
  }

  test('repeated changes by another program are repaired at a limited rate', async () => {
    const repairs = (): number => testbed.events.filter(({ action }) => action === 'repair').length;
    const before = repairs();
    const started = performance.now();
    const seconds = (): number => (performance.now() - started) / 1000;
    while (seconds() < 3 || repairs() < before + 3) {
      sh('sysctl -qw net.ipv4.ip_forward=0');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    // Eight repairs within ten seconds run at once, then one per second (repair-pace.ts).
    const [count, passed] = [repairs() - before, seconds()];
    assert.ok(count <= 11 + passed, `${count} repairs in ${passed} seconds`);
  });

  test('a restarted daemon restores the name of a renamed bridge and keeps intact objects', async () => {
    await testbed.networks.close();
    sh('ip link set docker0 down && ip link set docker0 name other0 && ip link set other0 up');
    sh('ip route delete 172.17.0.0/16');
    await testbed.open().start([...testbed.containers.keys()]);
    assert.ok(pings(undefined, address));
    await eventually('the container is reached', reached);
    assert.doesNotMatch(sh('ip -o link'), /other0/);
  });

  test('the host does not forward between its other interfaces, also after a restart of the daemon', async () => {
    sh('ip netns add neighbour2; ip link add far0 type veth peer name eth0 netns neighbour2');
    sh('ip address add 198.51.100.1/24 dev far0; ip link set far0 up; ip -n neighbour2 link set eth0 up');
    sh('ip -n neighbour2 address add 198.51.100.9/24 dev eth0; ip -n neighbour2 route add default via 198.51.100.1');
    const crosses = (): boolean => pingsBriefly('/run/netns/neighbour', '198.51.100.9');
    assert.equal(crosses(), false);
    await testbed.networks.close();
    await testbed.open().start([...testbed.containers.keys()]);
    assert.equal(crosses(), false);
    await testbed.networks.close();
    await testbed.open({ dropForeignForwarding: false }).start([...testbed.containers.keys()]);
    await eventually('it crosses', crosses);
    await testbed.networks.close();
    sh('nft delete table ip netyard'); // forwarding is on, and no state records that the daemon enabled it
    await testbed.open().start([...testbed.containers.keys()]);
    await eventually('it crosses', crosses);
    await eventually('the container is reached', reached);
  });
});
