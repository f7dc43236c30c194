/**
 * Tests a peer with IPv6 subnets, with real packets: they pass through the tunnel between IPv4 addresses, without address
 * translation, and only from the peer. The remote end is configured with iproute2.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { identityOf, openKernel } from '@netyard/kernel';
import type { PeerRequest } from '@netyard/peers';
import {
  addNeighbour,
  addUplink,
  ask,
  eventually,
  inFreshHost,
  inFull,
  pings,
  pingsBriefly,
  serve,
  sh,
} from '@netyard/testkit';
import type { SandboxState } from '../src/index.ts';
import { dumpHost } from './dump-host.ts';
import { Testbed } from './testbed.ts';

const host = inFreshHost(import.meta.url);
const far: PeerRequest = { name: 'far', address: '192.0.2.2', subnets: ['192.168.12.0/24', 'fd00:2::/64'] };
const ourMac = '02:6e:c0:00:02:01';

/** A host with its end of the tunnel, and addresses on lo that stand in for containers: see tunnel.kernel.test.ts. */
function addHost(name: string, number: number, container: string): string {
  const ns = addNeighbour(name, number);
  sh(`ip -n ${name} link add v0 address 02:6e:c0:00:02:0${number} mtu 1450 type vxlan id 28281 local 192.0.2.${number} dstport 4789 nolearning
    ip -n ${name} link set v0 up; ip -n ${name} link set lo up; ip -n ${name} address add ${container}/128 dev lo nodad
    bridge -n ${name} fdb add ${ourMac} dev v0 dst 192.0.2.1
    ip -n ${name} neighbour add fe80::1 lladdr ${ourMac} dev v0 nud permanent
    ip -n ${name} route add fd00:b::/64 via fe80::1 dev v0 src ${container}`);
  return ns;
}

const objects = (): string => dumpHost('ip route; ip -6 route');

describe('a peer with IPv6 subnets', host, () => {
  const kernel = openKernel();
  const testbed = new Testbed({ kernel });
  const ipv6 = { bridgeIpv6: { fixedCidr: 'fd00:b::/64' } };
  let farNs = '';
  let thirdNs = '';
  let web: SandboxState & { containerId: string };
  let bare = '';
  before(async () => {
    addUplink();
    farNs = addHost('far', 2, 'fd00:2::2');
    thirdNs = addHost('third', 3, 'fd00:3::2');
    sh(`ip -n far address add 192.168.12.2/32 dev lo
      ip -n far neighbour add 192.0.2.1 lladdr ${ourMac} dev v0 nud permanent
      ip -n far route add 172.17.0.0/16 via 192.0.2.1 dev v0 onlink src 192.168.12.2`);
    await testbed.networks.close();
    await testbed.open(ipv6).start([]);
    web = await testbed.run('web');
    await serve(web.netnsPath, 'tcp', 80, 'web', { family: 6 });
    await serve(farNs, 'tcp', 81, 'far', { family: 6 });
    bare = objects();
  });
  after(async () => {
    await testbed.close();
    kernel.close();
  });

  const address = (): string => web.endpoints[0]?.addresses.v6?.address ?? '';
  const from = (ns: string, source: string, target: string, ...options: string[]): boolean =>
    pings(ns, target, '-I', source, ...options);
  const fromBriefly = (ns: string, source: string, target: string): boolean => pingsBriefly(ns, target, '-I', source);
  const reachable = (): boolean =>
    fromBriefly(farNs, 'fd00:2::2', address()) && pingsBriefly(web.netnsPath, 'fd00:2::2');

  test('all its subnets are reached through the tunnel, also on a shared segment', async () => {
    assert.ok(!reachable());
    await assert.rejects(
      testbed.networks.addPeer({ ...far, via: 'route' }),
      /fd00:2::\/64 cannot be reached by a route via the IPv4 address 192\.0\.2\.2/,
    );
    await testbed.networks.planAddPeer(far);
    assert.equal(objects(), bare);
    const { path, problems, routes } = await testbed.networks.addPeer(far);
    assert.deepEqual(problems, []);
    assert.ok(routes.every(({ present }) => present));
    assert.deepEqual(path, {
      ...{ kind: 'vxlan', link: 'ny-vxlan', gateway: '192.0.2.2', source: '172.17.0.1', ipv6Source: 'fd00:b::1' },
      ...{ uplink: 'up0', local: '192.0.2.1', shared: true, mtu: 1450 },
    });
    assert.ok(pings(web.netnsPath, 'fd00:2::2'));
    assert.ok(from(farNs, 'fd00:2::2', address()));
    assert.ok(pings(web.netnsPath, '192.168.12.2'));
  });

  test('source addresses are preserved in both directions, and from the host', () => {
    assert.equal(ask(farNs, 'tcp', address(), 80, ',bind=[fd00:2::2]'), `web [${inFull('fd00:2::2')}]`);
    assert.equal(ask(web.netnsPath, 'tcp', 'fd00:2::2', 81), `far [${inFull('fd00:b::2')}]`);
    assert.equal(ask(undefined, 'tcp', 'fd00:2::2', 81), `far [${inFull('fd00:b::1')}]`);
  });

  test('packets of the full MTU of containers pass, larger ones are fragmented', () => {
    assert.match(sh(`nsenter --net=${web.netnsPath} ip link show eth0`), /mtu 1450/);
    assert.ok(from(web.netnsPath ?? '', address(), 'fd00:2::2', '-s', '1402', '-M', 'do'));
    assert.ok(from(farNs, 'fd00:2::2', address(), '-s', '1402', '-M', 'do'));
    assert.ok(from(web.netnsPath ?? '', address(), 'fd00:2::2', '-s', '5000'));
  });

  test('other hosts get no packet through, nor does the peer with other addresses', () => {
    const seen = (): string => sh(`nsenter --net=${web.netnsPath} awk '/^Icmp6InEchos/ { print $2 }' /proc/net/snmp6`);
    const before = seen();
    assert.ok(!fromBriefly(thirdNs, 'fd00:3::2', address()), 'through its own tunnel');
    sh('ip -n third address add fd00:2::3/128 dev lo nodad; ip -n far address add fd00:77::1/128 dev lo nodad');
    assert.ok(!fromBriefly(thirdNs, 'fd00:2::3', address()), 'with an address of the peer');
    assert.ok(!fromBriefly(farNs, 'fd00:77::1', address()), 'the peer, with an address that is not its containers');
    sh('ip -n third address add fd00:9::3/64 dev eth0 nodad; ip address add fd00:9::1/64 dev up0 nodad');
    sh('ip -n third route replace fd00:b::/64 via fd00:9::1');
    assert.ok(!fromBriefly(thirdNs, 'fd00:2::3', address()), 'routed, without a tunnel');
    assert.equal(seen(), before, 'no packet reached the container');
    sh('ip -n far route add fd00:9::/64 via fe80::1 dev v0');
    assert.ok(!fromBriefly(farNs, 'fd00:77::1', 'fd00:9::1'), 'nor the host');
    assert.ok(from(farNs, 'fd00:2::2', 'fd00:b::1'), "the peer's containers do reach the host");
    sh('ip address delete fd00:9::1/64 dev up0');
  });

  test('its packets are counted', async () => {
    const { packets: before } = await testbed.networks.peer('far');
    assert.ok(from(farNs, 'fd00:2::2', address()));
    const { packets } = await testbed.networks.peer('far');
    assert.deepEqual([packets.in - before.in, packets.out - before.out], [1n, 1n]);
  });

  test('the plan of the peer has its routes, neighbours and elements of both families', () => {
    const planned = testbed.networks.explain('far').objects.map(identityOf).join('\n');
    for (const part of ['fd00:2::/64', '192.168.12.0/24', 'fe80::c000:202', 'disable_ipv6'])
      assert.ok(planned.includes(part), part);
  });

  const breakages: [string, string][] = [
    ['the route is deleted', 'ip route delete fd00:2::/64'],
    ['the neighbour is deleted', 'ip neighbour delete fe80::c000:202 dev ny-vxlan'],
    ['the element is deleted', `nft 'delete element ip6 netyard peer_ingress_64 { "ny-vxlan" . fd00:2:: }'`],
    ['the rules are flushed', 'nft flush ruleset'],
    ['the tunnel is deleted', 'ip link delete ny-vxlan'],
    ['the bridge is deleted', 'ip link delete docker0'],
  ];
  for (const [what, command] of breakages)
    test(`the path is repaired after: ${what}`, async () => {
      await eventually('reachable before the change', reachable);
      sh(command);
      await eventually('the repair is complete', () => reachable() && objects().includes('src fd00:b::1'));
    });

  test('a restarted daemon keeps intact objects and deletes stale ones', async () => {
    await eventually('repaired', reachable);
    const before = objects();
    await testbed.networks.close();
    sh(`nft 'add element ip6 netyard peer_ingress { fd00:99::/64 . "ny-vxlan" comment "peer gone" }'
      ip neighbour add fe80::9 lladdr 02:6e:00:00:00:09 dev ny-vxlan nud permanent
      ip route add fd00:99::/64 via fe80::9 dev ny-vxlan proto 78`);
    await testbed.open(ipv6).start([web.containerId]);
    assert.equal(objects(), before);
    assert.ok(pings(web.netnsPath, 'fd00:2::2'));
  });

  test('without a network with IPv6 it has a problem until there is one, and cannot be added', async () => {
    await testbed.networks.close();
    await testbed.open().start([web.containerId]);
    const { problems } = await testbed.networks.peer('far');
    assert.match(problems[0] ?? '', /peer far has IPv6 subnets, but no network of this host has IPv6/);
    await assert.rejects(
      testbed.networks.addPeer({ name: 'more', address: '192.0.2.3', subnets: ['fd00:3::/64'] }),
      /peer more has IPv6 subnets, but no network of this host has IPv6/,
    );
    await testbed.networks.create({ name: 'six', driver: 'bridge', ipam: { v6: [{ subnet: 'fd00:6::/64' }] } });
    await eventually('it has a path again', () =>
      sh('ip -6 route').includes('fd00:2::/64 via fe80::c000:202 dev ny-vxlan'),
    );
    assert.deepEqual((await testbed.networks.peer('far')).problems, []);
    await testbed.networks.remove('six');
    await testbed.networks.close();
    await testbed.open(ipv6).start([web.containerId]);
  });

  test('a removed peer leaves nothing', async () => {
    await testbed.networks.removePeer('far');
    assert.doesNotMatch(objects(), /fd00:2:|fe80::c000|ny-vxlan\b.*mtu|proto 78/);
    assert.equal(
      sh('conntrack -L -f ipv6 -s fd00:2::2 2>/dev/null; conntrack -L -f ipv6 -d fd00:2::2 2>/dev/null'),
      '',
    );
    assert.ok(!reachable());
  });
});
