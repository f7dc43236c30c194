/**
 * Tests a peer behind a router on a real kernel, without a firewall: the tunnel carries packets, is repaired after any
 * change, moves with the uplink's address, and is deleted without a trace. The remote end is configured with iproute2.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { openKernel } from '@netyard/kernel';
import { eventually, inFreshHost, pingsBriefly, sh } from '@netyard/testkit';
import type { PeerRequest } from '../src/index.ts';
import { Testbed } from './testbed.ts';

const host = inFreshHost(import.meta.url);
const far: PeerRequest = { name: 'far', address: '198.51.100.2', subnets: ['192.168.12.0/24'] };
const ourMac = '02:6e:c0:00:02:01';
const farMac = '02:6e:c6:33:64:02';

/** Local segment 192.0.2.0/24, the router, and the remote segment 198.51.100.0/24 with `far` and its container's address. */
function createTopology(): void {
  sh(`ip netns add router; ip netns add far; ip netns exec router sysctl -qw net.ipv4.ip_forward=1
    ip link add up0 type veth peer name near netns router; ip address add 192.0.2.1/24 dev up0; ip link set up0 up
    ip -n router link add beyond type veth peer name eth0 netns far
    ip -n router address add 192.0.2.254/24 dev near; ip -n router link set near up
    ip -n router address add 198.51.100.254/24 dev beyond; ip -n router link set beyond up
    ip route add default via 192.0.2.254
    ip -n far link set lo up; ip -n far link set eth0 up; ip -n far address add 198.51.100.2/24 dev eth0
    ip -n far route add default via 198.51.100.254
    ip -n far link add v0 address ${farMac} mtu 1450 type vxlan id 28281 local 198.51.100.2 dstport 4789 nolearning
    ip -n far link set v0 up; ip -n far address add 192.168.12.2/32 dev lo`);
  meetAt('192.0.2.1', ourMac);
}

/** The remote end's entries for this host's address. */
function meetAt(address: string, mac: string): void {
  sh(`bridge -n far fdb replace ${mac} dev v0 dst ${address}
    ip -n far neighbour replace ${address} lladdr ${mac} dev v0 nud permanent
    ip -n far route replace 172.17.0.0/16 via ${address} dev v0 onlink src 192.168.12.2`);
}

const objects = (): string =>
  sh(
    'ip route; ip -o -4 address show dev ny-vxlan 2> /dev/null | cut -d: -f2-; ip -o link | cut -d: -f2- | sort; bridge fdb | grep dst || true; ip neighbour show nud permanent; nft list ruleset',
  )
    .replaceAll(/packets \d+ bytes \d+/g, '')
    .replaceAll(/state \w+ | qlen \d+/g, '');

describe('the tunnel to a peer behind a router', host, () => {
  const kernel = openKernel();
  const testbed = new Testbed(kernel);
  let bare = '';
  before(async () => {
    createTopology();
    await testbed.start();
    bare = objects();
    testbed.watch();
  });
  after(async () => {
    await testbed.close();
    kernel.close();
  });

  /** Both addresses stand in for containers. */
  const reachable = (): boolean =>
    pingsBriefly('/run/netns/far', '172.17.0.1', '-I', '192.168.12.2') &&
    pingsBriefly(undefined, '192.168.12.2', '-I', '172.17.0.1');
  const mtu = (): string => sh("ip -o link show ny-vxlan | grep -o 'mtu [0-9]*'").trim();

  test('it is selected, planned without a change, and carries packets', async () => {
    await assert.rejects(testbed.peers.add({ ...far, via: 'route' }), /198\.51\.100\.2 is on no link of this host/);
    const planned = await testbed.peers.planAdd(far);
    assert.ok(planned.some(({ action, object }) => action === 'create' && object.kind === 'vxlan'));
    assert.equal(objects(), bare);
    const { path, problems } = await testbed.peers.add(far);
    assert.deepEqual(problems, []);
    assert.deepEqual([path?.kind, path?.local, path?.mtu], ['vxlan', '192.0.2.1', 1450]);
    assert.deepEqual(testbed.limits, [1450]);
    await eventually('both ways', reachable);
  });

  test('packets arrive whose answers are routed past the tunnel', async () => {
    sh(`ip route add 192.168.12.2/32 via 192.0.2.254; ip -n router route add 192.168.12.0/24 via 198.51.100.2
      ip netns exec far sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.eth0.rp_filter=0`);
    const former = sh('sysctl -n net.ipv4.conf.all.rp_filter').trim();
    for (const mode of ['0', '1', '2']) {
      sh(`sysctl -qw net.ipv4.conf.all.rp_filter=${mode}`);
      await eventually(`with rp_filter ${mode}`, () =>
        pingsBriefly('/run/netns/far', '172.17.0.1', '-I', '192.168.12.2'),
      );
    }
    sh(`sysctl -qw net.ipv4.conf.all.rp_filter=${former}; ip route delete 192.168.12.2/32
      ip -n router route delete 192.168.12.0/24`);
  });

  const breakages: [string, string][] = [
    ['the route is deleted', 'ip route delete 192.168.12.0/24'],
    ['the neighbour is deleted', 'ip neighbour delete 198.51.100.2 dev ny-vxlan'],
    [
      'the neighbour entry is changed',
      'ip neighbour replace 198.51.100.2 lladdr 02:00:00:00:00:01 dev ny-vxlan nud permanent',
    ],
    ['the forwarding entry is deleted', `bridge fdb delete ${farMac} dev ny-vxlan`],
    ['the forwarding entry is changed', `bridge fdb replace ${farMac} dev ny-vxlan dst 198.51.100.9`],
    ['the tunnel is deleted', 'ip link delete ny-vxlan'],
    ['the tunnel is set down', 'ip link set ny-vxlan down'],
    ['the address of the tunnel is deleted', 'ip address flush dev ny-vxlan'],
    ['the MTU of the tunnel is reduced', 'ip link set ny-vxlan mtu 500'],
  ];
  for (const [what, command] of breakages)
    test(`the path is repaired after: ${what}`, async () => {
      await eventually('reachable before the change', reachable);
      const before = objects();
      sh(command);
      await eventually('it is repaired', () => reachable() && mtu() === 'mtu 1450');
      await eventually('every object is as before', () => objects() === before);
    });

  test('the tunnel moves to the new address of the uplink', async () => {
    sh('ip address flush dev up0; ip address add 192.0.2.7/24 dev up0; ip route add default via 192.0.2.254');
    await eventually('the tunnel has moved', () => sh('ip -d link show ny-vxlan').includes('local 192.0.2.7'));
    meetAt('192.0.2.7', '02:6e:c0:00:02:07');
    await eventually('reachable at the new address', reachable);
    sh('ip address flush dev up0; ip address add 192.0.2.1/24 dev up0; ip route add default via 192.0.2.254');
    meetAt('192.0.2.1', ourMac);
    await eventually('reachable at the old address again', reachable);
  });

  test('a missing route to the peer is reported, and the path is restored with it', async () => {
    sh('ip route delete default');
    await eventually('all objects are deleted', () => !sh('ip route; bridge fdb').includes('198.51.100.2'));
    assert.match((await testbed.peers.state('far')).problems[0] ?? '', /no route leads to it/);
    sh('ip route add default via 192.0.2.254');
    await eventually('reachable again', reachable);
  });

  test('over an uplink that is too small for IPv6 in the tunnel, IPv4 passes', async () => {
    await testbed.peers.remove('far');
    sh('ip link set up0 mtu 1300');
    await testbed.peers.add(far);
    for (const size of [1300, 1500, 1300, 1500]) {
      sh(`ip link set up0 mtu ${size}`);
      await eventually('the tunnel fits', () => mtu() === `mtu ${size - 50}` && reachable());
      assert.deepEqual((await testbed.peers.state('far')).problems, []);
    }
    assert.equal(sh('sysctl -n net.ipv6.conf.ny-vxlan.disable_ipv6'), '1\n');
  });

  test('a removed peer leaves nothing', async () => {
    await testbed.peers.remove('far');
    assert.equal(objects(), bare);
    assert.equal(testbed.peers.mtuLimit, undefined);
  });
});
