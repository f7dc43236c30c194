/**
 * Tests a directly connected peer with real packets: its containers, an unrelated host on the same segment, repairs.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { openKernel } from '@netyard/kernel';
import {
  addNeighbour,
  addUplink,
  ask,
  eventually,
  inFreshHost,
  pings,
  pingsBriefly,
  serve,
  sh,
} from '@netyard/testkit';
import type { SandboxState } from '../src/index.ts';
import { Testbed } from './testbed.ts';

const host = inFreshHost(import.meta.url);
const peer = { name: 'server2', address: '192.0.2.2', subnets: ['192.168.12.0/24'] };

/** A host with an extra address on lo that stands in for its containers: for other hosts there is no difference. */
function addHost(name: string, number: number, container: string): string {
  const ns = addNeighbour(name, number);
  sh(`ip -n ${name} address add ${container} dev lo && ip -n ${name} route add 172.17.0.0/16 via 192.0.2.1`);
  return ns;
}

const from = (ns: string, source: string, address: string): boolean => pings(ns, address, '-I', source);
const fromBriefly = (ns: string, source: string, address: string): boolean => pingsBriefly(ns, address, '-I', source);

const dump = (): string => sh('ip route; nft list ruleset');

describe('a peer on the same segment', host, () => {
  const kernel = openKernel();
  const testbed = new Testbed({ kernel });
  let server2 = '';
  let unrelated = '';
  let web: SandboxState & { containerId: string };

  before(async () => {
    addUplink();
    server2 = addHost('server2', 2, '192.168.12.2/32');
    unrelated = addHost('unrelated', 3, '192.168.13.2/32');
    await testbed.networks.start([]);
    web = await testbed.run('web', { ports: [{ protocol: 'tcp', containerPort: 80, hostPort: 8801 }] });
    await serve(web.netnsPath, 'tcp', 80, 'web');
    await serve(server2, 'tcp', 81, 'far');
  });
  after(async () => {
    await testbed.close();
    kernel.close();
    sh(
      'ip netns delete server2; ip netns delete unrelated; ip link delete up0; ip link delete docker0; nft flush ruleset',
    );
  });

  const address = (): string => web.endpoints[0]?.addresses.v4?.address ?? '';
  const reachable = (): boolean =>
    fromBriefly(server2, '192.168.12.2', address()) && pingsBriefly(web.netnsPath, '192.168.12.2');

  test('containers of both hosts reach each other with their own addresses after peer add; other hosts do not', async () => {
    assert.ok(!fromBriefly(server2, '192.168.12.2', address()));
    assert.ok(!pingsBriefly(web.netnsPath, '192.168.12.2'));
    await testbed.networks.addPeer(peer);
    assert.ok(from(server2, '192.168.12.2', address()));
    assert.ok(pings(web.netnsPath, '192.168.12.2'));
    assert.equal(ask(server2, 'tcp', address(), 80, ',bind=192.168.12.2'), 'web 192.168.12.2');
    assert.equal(ask(web.netnsPath, 'tcp', '192.168.12.2', 81), `far ${address()}`);
    assert.equal(ask(undefined, 'tcp', '192.168.12.2', 81), 'far 172.17.0.1', 'the host, from its bridge');
    assert.ok(!fromBriefly(server2, '192.0.2.2', address()), 'the other host itself is not its containers');
    assert.ok(!pingsBriefly(unrelated, address()));
    assert.ok(!fromBriefly(unrelated, '192.168.13.2', address()));
  });

  test('published ports and masquerade work beside a peer', () => {
    assert.equal(ask(unrelated, 'tcp', '192.0.2.1', 8801), 'web 192.0.2.3');
    assert.ok(pings(web.netnsPath, '192.0.2.3'), 'the unrelated host sees the address of this host');
  });

  const breakages: [string, string][] = [
    ['the route is deleted', 'ip route delete 192.168.12.0/24'],
    ['the rules are flushed', 'nft flush ruleset'],
    ['the uplink goes down and up', 'ip link set up0 down; ip link set up0 up'],
    ['the uplink loses its address and gets another', 'ip address flush dev up0; ip address add 192.0.2.7/24 dev up0'],
    ['the bridge is deleted', 'ip link delete docker0'],
    ['the element is deleted', `nft 'delete element ip netyard peer_ingress_24 { "up0" . 192.168.12.0 }'`],
  ];
  for (const [what, command] of breakages)
    test(`the path is repaired after: ${what}`, async () => {
      await eventually('reachable before the change', reachable);
      testbed.events.length = 0;
      sh(command);
      if (what.includes('another')) sh('ip -n server2 route replace 172.17.0.0/16 via 192.0.2.7');
      await eventually('it is repaired', reachable);
      await eventually('the repair is reported', () => testbed.events.some(({ action }) => action === 'repair'));
    });

  test('an uplink that stays down is reported, and the peer has no objects meanwhile', async () => {
    sh('ip link set up0 down');
    await eventually(
      'the element is gone',
      () => !sh('nft list set ip netyard peer_ingress_24').includes('192.168.12'),
    );
    const { problems, routes } = await testbed.networks.peer('server2');
    assert.match(problems[0] ?? '', /link up0, which 192\.0\.2\.2 is on, is down/);
    assert.deepEqual(routes, [{ subnet: '192.168.12.0/24', present: false }]);
    sh('ip link set up0 up');
    await eventually('it is back', reachable);
    assert.deepEqual((await testbed.networks.peer('server2')).problems, []);
  });

  test("another program's route to the same subnet is left alone and reported", async () => {
    sh('ip route replace 192.168.12.0/24 via 192.0.2.3');
    await eventually(
      'the element is deleted',
      () => !sh('nft list set ip netyard peer_ingress_24').includes('192.168.12'),
    );
    assert.match((await testbed.networks.peer('server2')).problems[0] ?? '', /overlaps with the host's route/);
    assert.match(sh('ip route show 192.168.12.0/24'), /via 192\.0\.2\.3/);
    sh('ip route delete 192.168.12.0/24');
    await eventually("Netyard's route is restored", reachable);
  });

  test('a removed peer leaves nothing', async () => {
    const tracked = (): string =>
      sh('conntrack -L -s 192.168.12.2 2>/dev/null; conntrack -L -d 192.168.12.2 2>/dev/null');
    assert.match(tracked(), /192\.168\.12\.2/);
    await testbed.networks.removePeer('server2');
    assert.equal(tracked(), '');
    assert.doesNotMatch(dump(), /192\.168\.12|proto 78|server2/);
    assert.ok(!pingsBriefly(web.netnsPath, '192.168.12.2'));
    assert.ok(!fromBriefly(server2, '192.168.12.2', address()));
    assert.equal(ask(unrelated, 'tcp', '192.0.2.7', 8801), 'web 192.0.2.3');
  });
});

describe('without icc', host, () => {
  const kernel = openKernel();
  const testbed = new Testbed({ kernel, settings: { icc: false } });
  before(async () => {
    addUplink();
    await testbed.networks.start([]);
    await testbed.networks.addPeer(peer);
  });
  after(async () => {
    await testbed.close();
    kernel.close();
  });

  test('a container that spoofs an address of a peer is isolated like any other', async () => {
    const web = await testbed.run('web');
    const spoofer = await testbed.run('spoofer');
    const arrived = (): string =>
      sh(`nsenter --net=${web.netnsPath} awk '/^Icmp: [0-9]/ { print $10 }' /proc/net/snmp`);
    sh(`nsenter --net=${spoofer.netnsPath} ip address add 192.168.12.9/32 dev lo`);
    const ask = () =>
      fromBriefly(spoofer.netnsPath ?? '', '192.168.12.9', web.endpoints[0]?.addresses.v4?.address ?? '');
    assert.ok(!ask());
    assert.equal(arrived(), '0\n');
    sh(`nft 'add element ip netyard peer_ingress { 192.168.12.9 . "docker0" }'`);
    ask();
    assert.equal(arrived(), '1\n', 'only the check of the interface blocks it');
  });
});
