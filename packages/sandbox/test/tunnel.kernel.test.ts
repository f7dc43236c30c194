/**
 * Tests a peer behind a router, with real packets: the VXLAN tunnel is selected, carries full-size packets, admits only
 * the peer, is repaired after any change, and is deleted without a trace. The remote end is configured with iproute2.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { openKernel } from '@netyard/kernel';
import type { PeerRequest } from '@netyard/peers';
import { ask, eventually, inFreshHost, pings, pingsBriefly, serve, sh, succeeds } from '@netyard/testkit';
import type { SandboxState } from '../src/index.ts';
import { dumpHost } from './dump-host.ts';
import { Testbed } from './testbed.ts';

const host = inFreshHost(import.meta.url);
const far: PeerRequest = { name: 'far', address: '198.51.100.2', subnets: ['192.168.12.0/24'] };
const farNs = '/run/netns/far';
const thirdNs = '/run/netns/third';
const ourMac = '02:6e:c0:00:02:01';
const farMac = '02:6e:c6:33:64:02';

/**
 * Local segment 192.0.2.0/24, the router, and the remote segment 198.51.100.0/24 with `far` and the unrelated `third`.
 */
function createTopology(): void {
  sh(`ip netns add router; ip netns add far; ip netns add third; ip netns exec router sysctl -qw net.ipv4.ip_forward=1
    ip link add up0 type veth peer name near netns router; ip address add 192.0.2.1/24 dev up0; ip link set up0 up
    ip -n router link add beyond type bridge; ip -n router link set beyond up
    ip -n router address add 192.0.2.254/24 dev near; ip -n router link set near up
    ip -n router address add 198.51.100.254/24 dev beyond; ip route add default via 192.0.2.254`);
  for (const [name, number] of [
    ['far', 2],
    ['third', 3],
  ] as const)
    sh(`ip -n router link add ${name} master beyond up type veth peer name eth0 netns ${name}
      ip -n ${name} link set lo up; ip -n ${name} link set eth0 up; ip -n ${name} address add 198.51.100.${number}/24 dev eth0
      ip -n ${name} route add default via 198.51.100.254`);
}

/** Creates the remote end of the tunnel, with an address on lo that stands in for a container. */
function tunnelFrom(ns: string, address: string, mac: string, container: string): void {
  sh(`ip -n ${ns} link add v0 address ${mac} mtu 1450 type vxlan id 28281 local ${address} dstport 4789 nolearning
    ip -n ${ns} link set v0 up; ip -n ${ns} address add ${container}/32 dev lo
    bridge -n ${ns} fdb add ${ourMac} dev v0 dst 192.0.2.1
    ip -n ${ns} neighbour add 192.0.2.1 lladdr ${ourMac} dev v0 nud permanent
    ip -n ${ns} route add 172.17.0.0/16 via 192.0.2.1 dev v0 onlink src ${container}`);
}

const from = (ns: string, source: string, address: string, ...options: string[]): boolean =>
  pings(ns, address, '-I', source, ...options);
const fromBriefly = (ns: string, source: string, address: string, ...options: string[]): boolean =>
  pingsBriefly(ns, address, '-I', source, ...options);

const objects = (): string => dumpHost('ip route');

describe('a peer behind a router', host, () => {
  const kernel = openKernel();
  const testbed = new Testbed({ kernel });
  let web: SandboxState & { containerId: string };
  let bare = '';
  before(async () => {
    createTopology();
    tunnelFrom('far', '198.51.100.2', farMac, '192.168.12.2');
    tunnelFrom('third', '198.51.100.3', '02:6e:c6:33:64:03', '192.168.12.3');
    sh('ip -n third address add 192.168.13.2/32 dev lo');
    await testbed.networks.start([]);
    web = await testbed.run('web', { ports: [{ protocol: 'tcp', containerPort: 80, hostPort: 8801 }] });
    await serve(web.netnsPath, 'tcp', 80, 'web');
    await serve(farNs, 'tcp', 81, 'far');
    bare = objects();
  });
  after(async () => {
    await testbed.close();
    kernel.close();
  });

  const address = (): string => web.endpoints[0]?.addresses.v4?.address ?? '';
  const reachable = (): boolean =>
    fromBriefly(farNs, '192.168.12.2', address()) && pingsBriefly(web.netnsPath, '192.168.12.2');
  const mtu = (link: string, ns?: string): string =>
    sh(`ip ${ns === undefined ? '' : `-n ${ns.split('/').pop()}`} -o link show ${link} | grep -o 'mtu [0-9]*'`).trim();

  test('--via route is rejected behind a router; by default the tunnel is selected, and the plan shows it', async () => {
    assert.ok(!reachable());
    await assert.rejects(
      testbed.networks.addPeer({ ...far, via: 'route' }),
      /198\.51\.100\.2 is on no link of this host/,
    );
    const planned = await testbed.networks.planAddPeer(far);
    assert.equal(objects(), bare);
    const { path, problems } = await testbed.networks.addPeer(far);
    assert.deepEqual(problems, []);
    assert.deepEqual(path, {
      ...{ kind: 'vxlan', link: 'ny-vxlan', gateway: '198.51.100.2', source: '172.17.0.1' },
      ...{ uplink: 'up0', local: '192.0.2.1', shared: false, mtu: 1450 },
    });
    assert.ok(planned.some(({ action, object }) => action === 'create' && object.kind === 'vxlan'));
    await eventually('both ways', reachable);
  });

  test('source addresses are preserved in both directions, and from the host', () => {
    assert.equal(ask(farNs, 'tcp', address(), 80, ',bind=192.168.12.2'), 'web 192.168.12.2');
    assert.equal(ask(web.netnsPath, 'tcp', '192.168.12.2', 81), `far ${address()}`);
    assert.equal(ask(undefined, 'tcp', '192.168.12.2', 81), 'far 172.17.0.1');
  });

  test('every interface of running and new containers has the MTU of the tunnel; full-size packets pass', async () => {
    const late = await testbed.run('late');
    for (const [link, ns] of [['ny-vxlan'], ['docker0'], ['eth0', web.netnsPath], ['eth0', late.netnsPath]] as const)
      assert.equal(mtu(link, ns), 'mtu 1450', link);
    assert.equal(mtu(web.endpoints[0]?.hostLink ?? ''), 'mtu 1450');
    assert.equal(mtu('up0'), 'mtu 1500');
    assert.ok(from(web.netnsPath ?? '', address(), '192.168.12.2', '-s', '1400', '-M', 'do'));
    assert.ok(from(farNs, '192.168.12.2', address(), '-s', '1422', '-M', 'do'), 'at exactly the MTU');
    assert.ok(from(web.netnsPath ?? '', address(), '192.168.12.2', '-s', '5000'), 'fragmented');
    await testbed.remove(late.containerId);
  });

  test('the MSS of TCP is clamped to the tunnel even if a container has a larger MTU', async () => {
    sh(`nsenter --net=${web.netnsPath} ip link set eth0 mtu 1500; ip link set ${web.endpoints[0]?.hostLink} mtu 1500`);
    await serve(farNs, 'tcp', 82, 'sized');
    const capture = `nsenter --net=${farNs} timeout 60 tcpdump -c 1 -nn -l -i v0 'tcp[tcpflags] & tcp-syn != 0 and dst port 82' 2>/dev/null`;
    const open = `nsenter --net=${web.netnsPath} socat -u OPEN:/dev/null TCP4:192.168.12.2:82`;
    const mss = sh(`(${capture}) & p=$!; while kill -0 $p 2>/dev/null; do ${open}; sleep 0.1; done; wait`);
    assert.match(mss, /mss 1410/);
    sh(`nsenter --net=${web.netnsPath} ip link set eth0 mtu 1450; ip link set ${web.endpoints[0]?.hostLink} mtu 1450`);
  });

  test('other hosts get no packet through: neither routed, nor through their own tunnel, nor from unannounced subnets of the peer', async () => {
    const seen = (): string => sh(`nsenter --net=${web.netnsPath} awk '/^Icmp: [0-9]/ { print $10 }' /proc/net/snmp`);
    const before = seen();
    assert.ok(!fromBriefly(thirdNs, '192.168.13.2', address()), 'through its own tunnel, with its own address');
    assert.ok(!fromBriefly(thirdNs, '192.168.12.3', address()), 'with an address of the peer');
    sh('ip -n third route replace 172.17.0.0/16 via 198.51.100.254');
    sh('ip -n router route replace 172.17.0.0/16 via 192.0.2.1');
    assert.ok(!fromBriefly(thirdNs, '192.168.12.3', address()), 'routed, without a tunnel');
    sh('ip -n far address add 192.168.77.1/32 dev lo');
    assert.ok(!fromBriefly(farNs, '192.168.77.1', address()), 'the peer, with an address that is not its containers');
    assert.equal(seen(), before, 'no packet reached the container');
    sh('ip -n far route add 203.0.113.0/24 via 192.0.2.1 dev v0 onlink; ip address add 203.0.113.1/32 dev lo');
    assert.ok(!fromBriefly(farNs, '192.168.77.1', '203.0.113.1'), 'nor to the host');
    assert.ok(from(farNs, '192.168.12.2', '172.17.0.1'), "the peer's containers do reach the host");
    sh('ip address delete 203.0.113.1/32 dev lo');
  });

  test('VXLAN devices of other programs on the same port keep working', () => {
    sh(`ip link add theirs type vxlan id 7 remote 198.51.100.3 dstport 4789; ip link set theirs up
      ip address add 10.77.0.1/24 dev theirs; ip -n third link add theirs type vxlan id 7 remote 192.0.2.1 dstport 4789
      ip -n third link set theirs up; ip -n third address add 10.77.0.2/24 dev theirs`);
    assert.ok(from(thirdNs, '10.77.0.2', '10.77.0.1'));
    sh('ip link delete theirs; ip -n third link delete theirs');
  });

  test('published ports and masquerade work beside the tunnel', () => {
    assert.equal(ask(thirdNs, 'tcp', '192.0.2.1', 8801), 'web 198.51.100.3');
    assert.ok(pings(web.netnsPath, '198.51.100.3'), 'masqueraded as the host');
  });

  const counted = async (work: () => unknown): Promise<{ in: bigint; out: bigint }> => {
    const { packets: before } = await testbed.networks.peer('far');
    await work();
    const { packets } = await testbed.networks.peer('far');
    return { in: packets.in - before.in, out: packets.out - before.out };
  };

  const threePings = (): boolean =>
    succeeds(farNs, 'ping', '-c', '3', '-i', '0.2', '-W', '60', '-I', '192.168.12.2', address());

  test('packets are counted per direction, including the first of a connection and excluding dropped ones', async () => {
    assert.deepEqual(await counted(() => assert.ok(threePings())), { in: 3n, out: 3n });
    const back = (): boolean => succeeds(web.netnsPath, 'ping', '-c', '2', '-i', '0.2', '-W', '60', '192.168.12.2');
    assert.deepEqual(await counted(() => assert.ok(back())), { in: 2n, out: 2n });
    assert.equal((await testbed.networks.peer('far')).lastSeen, 1_700_000_000_000_000_000n);
    assert.deepEqual(
      await counted(() => assert.ok(!fromBriefly(farNs, '192.168.77.1', address(), '-c', '3', '-i', '0.2'))),
      { in: 0n, out: 0n },
    );
    const other = (): string => ask(thirdNs, 'tcp', '192.0.2.1', 8801);
    assert.deepEqual(await counted(() => assert.equal(other(), 'web 198.51.100.3')), { in: 0n, out: 0n });
  });

  const breakages: [string, string][] = [
    ['the route is deleted', 'ip route delete 192.168.12.0/24'],
    ['the rules are flushed', 'nft flush ruleset'],
    ['the peer is deleted from the set', 'nft delete element ip netyard tunnel_peers { 198.51.100.2 }'],
    [
      'the set element of its subnet is deleted',
      `nft 'delete element ip netyard peer_ingress_24 { "ny-vxlan" . 192.168.12.0 }'`,
    ],
    ['the bridge is deleted', 'ip link delete docker0'],
  ];
  for (const [what, command] of breakages)
    test(`the path is repaired after: ${what}`, async () => {
      await eventually('reachable before the change', reachable);
      testbed.events.length = 0;
      sh(command);
      await eventually('it is repaired', () => reachable() && mtu('ny-vxlan') === 'mtu 1450');
      await eventually('the repair is reported', () => testbed.events.some(({ action }) => action === 'repair'));
    });

  test('the path is restored after the uplink was down', async () => {
    sh('ip link set up0 down');
    await eventually('the route is deleted', () => !sh('ip route').includes('192.168.12.0/24'));
    assert.match((await testbed.networks.peer('far')).problems[0] ?? '', /no route leads to it/);
    sh('ip link set up0 up; ip route add default via 192.0.2.254');
    await eventually('reachable again', reachable);
  });

  test('a peer that becomes directly connected is routed, the tunnel stays open, and MTUs are restored', async () => {
    sh('ip address add 198.51.100.77/24 dev up0');
    await eventually('by the route', () => /192\.168\.12\.0\/24 via 198\.51\.100\.2 dev up0/.test(sh('ip route')));
    await eventually('the MTU is restored', () => mtu('eth0', web.netnsPath) === 'mtu 1500');
    assert.equal((await testbed.networks.peer('far')).path?.kind, 'route');
    assert.doesNotMatch(sh('bridge fdb; ip neighbour'), new RegExp(farMac));
    sh('ip address delete 198.51.100.77/24 dev up0');
    await eventually('through the tunnel again', () => reachable() && mtu('eth0', web.netnsPath) === 'mtu 1450');
  });

  test('a restarted daemon keeps intact objects and deletes stale ones', async () => {
    const before = objects();
    await testbed.networks.close();
    await testbed.open().start([web.containerId]);
    assert.equal(objects(), before);
    await eventually('both ways', reachable);
    await testbed.networks.close();
    sh(`bridge fdb add 02:6e:00:00:00:09 dev ny-vxlan dst 198.51.100.9; nft 'add element ip netyard tunnel_peers { 1.2.3.4 comment "peer gone" }'
      ip neighbour add 198.51.100.9 lladdr 02:6e:00:00:00:09 dev ny-vxlan nud permanent
      ip route add 192.168.99.0/24 via 198.51.100.9 dev ny-vxlan onlink proto 78`);
    await testbed.open().start([web.containerId]);
    assert.equal(objects(), before);
  });

  test('a subnet with another prefix length is admitted, counted and repaired too', async () => {
    await testbed.networks.removePeer('far');
    await testbed.networks.addPeer({ ...far, subnets: ['192.168.12.0/25'] });
    assert.deepEqual(await counted(() => assert.ok(threePings())), { in: 3n, out: 3n });
    await pause(1500); // repairs due to earlier events are done: only the change below can trigger the next one
    sh(`nft 'delete element ip netyard peer_ingress { 192.168.12.0/25 . "ny-vxlan" }'`);
    await eventually('repaired', () => sh('nft list set ip netyard peer_ingress').includes('192.168.12.0/25'));
    await eventually('both ways', reachable);
    assert.ok(!fromBriefly(thirdNs, '192.168.12.3', address()), 'other hosts get no packet through');
  });

  test('a removed peer leaves nothing', async () => {
    await testbed.networks.removePeer('far');
    assert.equal(objects(), bare);
    assert.equal(mtu('eth0', web.netnsPath), 'mtu 1500');
    assert.ok(!reachable());
    assert.ok(pings(web.netnsPath, '198.51.100.3'));
  });

  test('with --tunnel-firewall=false packets of peers bypass the firewall with any source, until it is switched off', async () => {
    await testbed.networks.addPeer({ ...far, subnets: ['192.168.12.0/24', '192.168.14.0/25'] });
    await testbed.networks.create({ name: 'closed', driver: 'bridge', ipam: { v4: [{ subnet: '10.61.0.0/24' }] } });
    const shut = await testbed.run('shut', { mode: { kind: 'network', ref: 'closed' } });
    sh(`for ns in third far; do ip -n $ns route replace 172.17.0.0/16 via 192.0.2.1 dev v0 onlink; done
      ip -n far route replace 10.61.0.0/24 via 192.0.2.1 dev v0 onlink
      ip -n far route replace 172.17.0.0/16 via 192.0.2.1 dev v0 onlink src 192.168.12.2
      nft 'table ip probe { chain f { type filter hook forward priority -500; counter; }; }'`);
    const forwarded = (): string => sh('nft list table ip probe').match(/packets (\d+)/)?.[1] ?? '';
    /** Whether packets arrive. No route leads back to an unknown source. */
    const arrives = (ns: string, source: string, { netnsPath, endpoints }: SandboxState): boolean => {
      const seen = (): string => sh(`nsenter --net=${netnsPath} awk '/^Icmp: [0-9]/ { print $10 }' /proc/net/snmp`);
      const former = seen();
      fromBriefly(ns, source, endpoints[0]?.addresses.v4?.address ?? '');
      return seen() !== former;
    };
    const restart = async (tunnelFirewall: boolean): Promise<void> => {
      await testbed.networks.close();
      await testbed.open({ tunnelFirewall }).start([web.containerId, shut.containerId]);
      await eventually('both ways', reachable);
    };
    const unknown = '192.168.77.1';
    await restart(false);
    assert.ok(arrives(farNs, unknown, web), 'an unknown subnet of the peer');
    assert.ok(!arrives(thirdNs, '192.168.12.3', web), 'another host');
    const former = forwarded();
    assert.ok(threePings());
    assert.equal(forwarded(), former);
    assert.ok(!arrives(farNs, '192.168.12.2', shut), 'a network without peers');
    assert.ok(pings(shut.netnsPath, '192.168.12.2'), 'which itself reaches them');
    assert.ok(!fromBriefly(farNs, unknown, '172.17.0.1'), 'the host');
    assert.equal(ask(undefined, 'tcp', '192.168.12.2', 81), 'far 172.17.0.1');
    assert.equal(ask(thirdNs, 'tcp', '192.0.2.1', 8801), 'web 198.51.100.3', 'a published port');
    const findings = (await testbed.networks.inspect()).filter(({ id }) => id === 'tunnel');
    assert.match(findings.map(({ text }) => text).join(), /reach containers on docker0 with any source address/);
    assert.ok(testbed.networks.explain('far').objects.some(({ kind }) => kind === 'nft-table'));
    for (const change of ['nft flush ruleset', 'ip link delete docker0', 'ip link delete ny-vxlan']) {
      sh(change);
      await eventually(`it bypasses the firewall after: ${change}`, () => arrives(farNs, unknown, web));
    }

    await restart(true);
    assert.ok(!arrives(farNs, unknown, web));
    assert.doesNotMatch(sh('nft list ruleset'), /netyard_tunnel/);
    await testbed.remove(shut.containerId);
    await testbed.networks.remove('closed');
    await testbed.networks.removePeer('far');
  });

  test('cleanup without stored state deletes the tunnel', async () => {
    await testbed.networks.addPeer(far);
    await testbed.networks.close();
    testbed.store.deletePeer('far');
    const removed = await testbed.open().cleanup({ dryRun: false });
    assert.ok(removed.includes('vxlan ny-vxlan'));
    assert.doesNotMatch(sh('ip link; ip route; nft list ruleset'), /vxlan|proto 78|netyard/);
  });
});
