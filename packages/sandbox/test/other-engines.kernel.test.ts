/** Tests, with real packets, what other engines on the host may forward if the daemon enabled IP forwarding. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { openKernel } from '@netyard/kernel';
import {
  addNeighbour,
  addUplink,
  ask,
  askBriefly,
  eventually,
  inFreshHost,
  pings,
  pingsBriefly,
  serve,
  sh,
} from '@netyard/testkit';
import { Testbed } from './testbed.ts';

const host = await inFreshHost(import.meta.url);
const neighbour = '/run/netns/neighbour';

/** Creates a bridge with one host on it, `10.88.N.2`; returns its namespace. */
function addBridge(link: string, number: number): string {
  const name = `on-${number}`;
  sh(`ip link add ${link} type bridge && ip address add 10.88.${number}.1/24 dev ${link} && ip link set ${link} up`);
  sh(`ip netns add ${name} && ip link add port${number} type veth peer name eth0 netns ${name}`);
  sh(`ip link set port${number} master ${link} up && ip -n ${name} link set eth0 up`);
  sh(
    `ip -n ${name} address add 10.88.${number}.2/24 dev eth0 && ip -n ${name} route add default via 10.88.${number}.1`,
  );
  return `/run/netns/${name}`;
}

describe('containers of other engines', host, () => {
  const kernel = openKernel();
  const testbed = new Testbed({ kernel });
  const engines: { link: string; number: number; ns: string }[] = [];
  let lan = '';

  const addEngine = (link: string, number: number): void => {
    engines.push({ link, number, ns: addBridge(link, number) });
  };

  before(async () => {
    sh('sysctl -qw net.ipv4.ip_forward=0');
    addUplink();
    addNeighbour('neighbour', 9);
    sh('ip -n neighbour route add default via 192.0.2.1');
    addEngine('br-0123456789ab', 1);
    lan = addBridge('br-lan', 3);
    await testbed.networks.start([]);
    await testbed.run('web');
    addEngine('podman0', 2); // created while the daemon runs
    for (const { ns } of engines) await serve(ns, 'tcp', 80, 'theirs');
  });

  after(async () => {
    await testbed.close();
    kernel.close();
  });

  test('have outbound access', async () => {
    for (const { link, ns } of engines) await eventually(`${link} reaches out`, () => pingsBriefly(ns, '192.0.2.9'));
  });

  test('reach containers of their other networks, if their own engine permits it', async () => {
    assert.ok(pings(engines[0]?.ns, '10.88.2.2'));
  });

  test('are reachable from outside only through ports that their engine publishes', () => {
    sh('nft add table ip theirs; nft add chain ip theirs pre "{ type nat hook prerouting priority -100; }"');
    for (const { number } of engines) {
      sh(`nft add rule ip theirs pre tcp dport 900${number} dnat to 10.88.${number}.2:80`);
      assert.equal(askBriefly(neighbour, 'tcp', `10.88.${number}.2`, 80), '');
      assert.ok(!pingsBriefly(neighbour, `10.88.${number}.2`));
      assert.equal(ask(neighbour, 'tcp', '192.0.2.1', 9000 + number), 'theirs 192.0.2.9');
    }
  });

  test('the host does not forward for a bridge named br-lan, which belongs to an administrator', () => {
    assert.ok(pings(lan, '10.88.3.1'));
    assert.ok(!pingsBriefly(lan, '192.0.2.9'));
    assert.ok(!pingsBriefly(neighbour, '10.88.3.2'));
  });

  describe('hosts on one bridge of an administrator reach each other', () => {
    const bridgedPeer = '/run/netns/on-32';

    before(async () => {
      sh('ip netns add on-32 && ip link add port32 type veth peer name eth0 netns on-32');
      sh('ip link set port32 master br-lan up && ip -n on-32 link set eth0 up');
      sh('ip -n on-32 address add 10.88.3.3/24 dev eth0 && ip -n on-32 route add default via 10.88.3.1');
      await serve(bridgedPeer, 'tcp', 80, 'vm');
      await serve(bridgedPeer, 'udp', 53, 'vm');
    });

    for (const value of [0, 1]) {
      test(`with bridge-nf-call-iptables=${value}`, async () => {
        sh(`sysctl -qw net.bridge.bridge-nf-call-iptables=${value}`);
        assert.ok(pings(lan, '10.88.3.3'));
        assert.equal(ask(lan, 'tcp', '10.88.3.3', 80), 'vm 10.88.3.2');
        await eventually('UDP', () => askBriefly(lan, 'udp', '10.88.3.3', 53) === 'vm 10.88.3.2');
        assert.ok(!pingsBriefly(lan, '192.0.2.9'), 'routed packets are still dropped');
        assert.ok(!pingsBriefly(lan, '10.88.1.2'), 'packets to another bridge are dropped too');
      });
    }

    for (const flush of ['nft flush ruleset', 'nft flush table bridge netyard', 'nft delete table bridge netyard']) {
      test(`until ${flush} is repaired`, async () => {
        // sh() blocks this process, which also does the repair, until the pings are done.
        sh(flush);
        assert.ok(pings(lan, '10.88.3.3', '-c', '3', '-i', '0.01'));
        assert.ok(!pingsBriefly(lan, '192.0.2.9'));
        await eventually('the table is repaired', () =>
          sh('nft list table bridge netyard 2>/dev/null || true').includes('meta mark set'),
        );
        assert.ok(pings(lan, '10.88.3.3'));
      });
    }

    test('a frame keeps no mark of Netyard on the wire to another bridge of the host', async () => {
      // A veth pair within one namespace keeps the mark of a packet: what arrives on br-far must be routed unmarked.
      sh('ip link add br-far type bridge && ip address add 10.88.4.1/24 dev br-far && ip link set br-far up');
      sh('ip link add far0 type veth peer name far1 && ip link set far0 master br-lan up');
      sh('ip link set far1 master br-far up');
      sh('nft add table bridge watch');
      sh("nft add chain bridge watch pre '{ type filter hook prerouting priority -300; }'");
      sh("nft 'add rule bridge watch pre iifname far1 ip daddr 10.88.3.99 meta mark 0 counter'");
      sh("nft 'add rule bridge watch pre iifname far1 ip daddr 10.88.3.99 counter drop'");
      sh('ip -n on-3 neigh add 10.88.3.99 lladdr 02:00:00:00:00:99 dev eth0');
      assert.ok(!pingsBriefly(lan, '10.88.3.99'), 'flooded to all ports');
      const [unmarked, all] = [...sh('nft list chain bridge watch pre').matchAll(/packets (\d+)/g)].map(([, n]) => n);
      assert.equal(unmarked, '1');
      assert.equal(all, '1');
      sh('nft delete table bridge watch; ip link delete far0; ip link delete br-far');
    });
  });

  test('a deleted bridge loses its rule', async () => {
    sh('ip link delete podman0');
    sh('ip link add podman1 type bridge');
    await eventually('podman1 is known', () => /podman1/.test(sh('nft list set ip netyard engine_bridges')));
    await eventually(
      'podman0 is not known any more',
      () => !/podman0/.test(sh('nft list set ip netyard engine_bridges')),
    );
  });

  test('pass the guard table too', async () => {
    sh('nft flush chain ip netyard foreign_forward');
    assert.ok(!pingsBriefly(neighbour, '10.88.1.2'));
    await eventually('they reach out again', () => pingsBriefly(engines[0]?.ns, '192.0.2.9'));
  });

  test('are not restricted if forwarding was enabled before', async () => {
    await testbed.networks.close();
    sh('nft delete table ip netyard');
    await testbed.open().start([...testbed.containers.keys()]);
    assert.ok(pings(neighbour, '10.88.1.2'));
    assert.ok(pings(lan, '192.0.2.9'));
  });
});
