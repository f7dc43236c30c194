/**
 * Tests peers whose own address is IPv6, with real packets, on a host without any IPv4 address towards them: one on the
 * same link, reached by routes, and one behind a router, reached through the tunnel. Both carry IPv4 and IPv6 of containers.
 * The remote ends are configured with iproute2.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { openKernel } from '@netyard/kernel';
import type { PeerRequest } from '@netyard/peers';
import { ask, eventually, inFreshHost, pings, pingsBriefly, serve, sh } from '@netyard/testkit';
import type { SandboxState } from '../src/index.ts';
import { Testbed } from './testbed.ts';

const host = inFreshHost(import.meta.url);
const near: PeerRequest = { name: 'near', address: '2001:db8::2', subnets: ['192.168.12.0/24', 'fd00:2::/64'] };
const far: PeerRequest = { name: 'far', address: '2001:db8:9::2', subnets: ['192.168.13.0/24', 'fd00:3::/64'] };
/** Derived from the addresses by SHA-256: a later version must compute the same, or hosts of two versions lose contact. */
const macs = {
  '2001:db8::1': '06:1e:03:d7:e1:ca',
  '2001:db8::7': '06:8c:f3:50:ed:1c',
  '2001:db8:9::2': '06:f7:d9:6c:2c:88',
  '2001:db8:9::3': '06:c3:8d:17:8d:2a',
};
const ipv6 = { bridgeIpv6: { fixedCidr: 'fd00:b::/64' } };

/** The link 2001:db8::/64 with `near` and the router, and the link 2001:db8:9::/64 behind it with `far` and `third`. */
function createTopology(): void {
  sh(`ip netns add router; ip netns exec router sysctl -qw net.ipv6.conf.all.forwarding=1
    ip link add up0 type bridge; ip address add 2001:db8::1/64 dev up0 nodad; ip link set up0 up
    ip link add r0 master up0 up type veth peer name r0 netns router; ip -n router link set r0 up
    ip -n router address add 2001:db8::fe/64 dev r0 nodad
    ip -n router link add beyond type bridge; ip -n router address add 2001:db8:9::fe/64 dev beyond nodad
    ip -n router link set beyond up; ip route add default via 2001:db8::fe`);
  addHost('near', '2001:db8::2', 'ip link add near master up0');
  addHost('far', '2001:db8:9::2', 'ip -n router link add far master beyond');
  addHost('third', '2001:db8:9::3', 'ip -n router link add third master beyond');
}

/** The addresses on lo stand in for containers. */
function addHost(name: string, address: string, addLink: string): void {
  const [number, router] = name === 'near' ? [2, '2001:db8::fe'] : [3, '2001:db8:9::fe'];
  sh(`ip netns add ${name}; ${addLink} up type veth peer name eth0 netns ${name}
    ip -n ${name} link set lo up; ip -n ${name} link set eth0 up; ip -n ${name} address add ${address}/64 dev eth0 nodad
    ip -n ${name} route add default via ${router}
    ip -n ${name} address add 192.168.1${number}.2/32 dev lo; ip -n ${name} address add fd00:${number}::2/128 dev lo nodad`);
}

/** The remote end of the tunnel to this host, which it knows by an address. */
function addTunnel(name: 'far' | 'third', local: '2001:db8:9::2' | '2001:db8:9::3'): void {
  sh(`ip -n ${name} link add v0 address ${macs[local]} mtu 1430 type vxlan id 28281 local ${local} dstport 4789 nolearning
    ip -n ${name} link set v0 up`);
  meetAt(name, '2001:db8::1');
}

function meetAt(name: 'far' | 'third', address: '2001:db8::1' | '2001:db8::7'): void {
  sh(`bridge -n ${name} fdb replace ${macs[address]} dev v0 dst ${address}
    ip -n ${name} neighbour replace fe80::1 lladdr ${macs[address]} dev v0 nud permanent
    ip -n ${name} route replace 172.17.0.0/16 via inet6 fe80::1 dev v0 src 192.168.13.2
    ip -n ${name} route replace fd00:b::/64 via fe80::1 dev v0 src fd00:3::2`);
}

/** RFC 1071, over a buffer with an even number of bytes. */
function checksum(data: Buffer): number {
  let sum = 0;
  for (let offset = 0; offset < data.length; offset += 2) sum += data.readUInt16BE(offset);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** A VXLAN packet to this host, in two fragments (RFC 8200, section 4.5): the UDP header, and all else. */
function sendInFragments(name: string, source: '2001:db8:9::2' | '2001:db8:9::3'): void {
  const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(/[\s:]/g, ''), 'hex');
  const frame = Buffer.concat([bytes(macs['2001:db8::1']), bytes(`${macs[source]} 0800`), Buffer.alloc(50)]);
  const udp = Buffer.concat([bytes('0457 12b5 0050 0000'), bytes('08000000 006e7900'), frame]);
  const pseudo = [
    bytes(`20010db800090000 00000000 0000000${source.at(-1)}`),
    bytes('20010db800000000 0000000000000001'),
  ];
  udp.writeUInt16BE(checksum(Buffer.concat([...pseudo, bytes('00000050 00000011'), udp])), 6);
  const fragments = [
    [bytes('1100 0001 00000007'), udp.subarray(0, 8)],
    [bytes('1100 0008 00000007'), udp.subarray(8)],
  ];
  const send = [`--net=/run/netns/${name}`, 'socat', '-u', '-', 'IP6-SENDTO:[2001:db8::1]:44'];
  for (const fragment of fragments) execFileSync('nsenter', send, { input: Buffer.concat(fragment) });
}

const objects = (): string =>
  sh(
    'ip route; ip -6 route | grep -v ^fe80: | sort; ip -o link | cut -d: -f2- | sort; bridge fdb | grep dst || true; ip neighbour show nud permanent; nft list tables | grep -v guard | sort | while read table; do nft list $table; done',
  )
    .replaceAll(/packets \d+ bytes \d+/g, '')
    .replaceAll(/state \w+ | qlen \d+|NO-CARRIER,|,LOWER_UP| linkdown/g, ''); // the kernel settles the carrier later

describe('peers with an IPv6 address', host, () => {
  const kernel = openKernel();
  const testbed = new Testbed({ kernel });
  let web: SandboxState & { containerId: string };
  let bare = '';
  before(async () => {
    createTopology();
    addTunnel('far', '2001:db8:9::2');
    addTunnel('third', '2001:db8:9::3');
    sh(`ip -n near route add 172.17.0.0/16 via inet6 2001:db8::1 dev eth0 src 192.168.12.2
      ip -n near route add fd00:b::/64 via 2001:db8::1 dev eth0 src fd00:2::2`);
    await testbed.networks.start([]);
    web = await testbed.run('web');
    await serve(web.netnsPath, 'tcp', 80, 'web');
    bare = objects();
  });
  after(async () => {
    await testbed.close();
    kernel.close();
  });

  const ns = (name: string): string => `/run/netns/${name}`;
  const address = (family: 'v4' | 'v6'): string => web.endpoints[0]?.addresses[family]?.address ?? '';
  const from = (name: string, source: string, target: string, ...options: string[]): boolean =>
    pings(ns(name), target, '-I', source, ...options);
  const fromBriefly = (name: string, source: string, target: string, ...options: string[]): boolean =>
    pingsBriefly(ns(name), target, '-I', source, ...options);
  const reachable4 = (): boolean =>
    fromBriefly('far', '192.168.13.2', address('v4')) && pingsBriefly(web.netnsPath, '192.168.13.2');
  const reachable = (): boolean =>
    reachable4() && fromBriefly('far', 'fd00:3::2', address('v6')) && pingsBriefly(web.netnsPath, 'fd00:3::2');

  test('containers without IPv6 reach each other through a tunnel over IPv6, and only from the peer', async () => {
    assert.ok(!reachable4());
    const ipv4Only = { ...far, subnets: ['192.168.13.0/24'] };
    const planned = await testbed.networks.planAddPeer(ipv4Only);
    assert.ok(planned.some(({ object }) => object.kind === 'nft-table' && object.name === 'netyard_tunnel'));
    assert.equal(objects(), bare);
    const { path, problems } = await testbed.networks.addPeer(ipv4Only);
    assert.deepEqual(problems, []);
    assert.deepEqual(path, {
      ...{ kind: 'vxlan', link: 'ny-vxlan6', gateway: '2001:db8:9::2', source: '172.17.0.1' },
      ...{ uplink: 'up0', local: '2001:db8::1', shared: false, mtu: 1430 },
    });
    assert.ok(pings(web.netnsPath, '192.168.13.2'));
    assert.ok(from('far', '192.168.13.2', address('v4')));
    assert.ok(!fromBriefly('third', '192.168.13.2', address('v4')), 'another host, with an address of the peer');
    assert.doesNotMatch(sh('nft list tables'), /ip6 netyard$/m);
    const seen = (): string => sh("awk '/^Icmp6InEchos/ { print $2 }' /proc/net/snmp6");
    const before = seen();
    sh('ip address add fd00:99::1/128 dev lo nodad; ip -n far route add fd00:99::1 via fe80::1 dev v0');
    assert.ok(!fromBriefly('far', 'fd00:3::2', 'fd00:99::1'), 'IPv6 inside the tunnel, to the host itself');
    assert.equal(seen(), before);
    sh('ip address delete fd00:99::1/128 dev lo; ip -n far route delete fd00:99::1');
    await testbed.networks.removePeer('far');
    assert.equal(objects(), bare);
  });

  test('on a shared link, routes of both families lead to the peer', async () => {
    await testbed.networks.close();
    await testbed.open(ipv6).start([]);
    const former = web.endpoints[0]?.hostLink ?? '';
    await testbed.remove(web.containerId);
    await eventually('its interface is deleted', () => !sh('ip -o link').includes(former));
    web = await testbed.run('web');
    for (const family of [4, 6] as const) await serve(web.netnsPath, 'tcp', 80, 'web', { family });
    for (const family of [4, 6] as const) await serve(ns('near'), 'tcp', 81, 'near', { family });
    for (const family of [4, 6] as const) await serve(ns('far'), 'tcp', 81, 'far', { family });
    bare = objects();
    const { path, problems } = await testbed.networks.addPeer(near);
    assert.deepEqual([path?.kind, path?.link, path?.shared, path?.mtu, problems], ['route', 'up0', true, 1500, []]);
    assert.match(sh('ip route'), /^192\.168\.12\.0\/24 via inet6 2001:db8::2 dev up0 proto 78 src 172\.17\.0\.1/m);
    assert.match(sh('ip -6 route'), /^fd00:2::\/64 via 2001:db8::2 dev up0 proto 78 src fd00:b::1/m);
    for (const [source, family] of [
      ['192.168.12.2', 'v4'],
      ['fd00:2::2', 'v6'],
    ] as const) {
      assert.ok(pings(web.netnsPath, source), source);
      assert.ok(from('near', source, address(family)), source);
      const overhead = family === 'v4' ? 28 : 48;
      assert.ok(pings(web.netnsPath, source, '-M', 'do', '-s', `${1500 - overhead}`), 'of the MTU');
    }
    assert.equal(ask(ns('near'), 'tcp', address('v4'), 80, ',bind=192.168.12.2'), 'web 192.168.12.2');
    assert.equal(ask(web.netnsPath, 'tcp', '192.168.12.2', 81), `near ${address('v4')}`);
    assert.match(ask(ns('near'), 'tcp', address('v6'), 80, ',bind=[fd00:2::2]'), /^web \[fd00:0002:.*0002\]$/);
    assert.match(ask(web.netnsPath, 'tcp', 'fd00:2::2', 81), /^near \[fd00:000b:/);
    assert.match(ask(undefined, 'tcp', '192.168.12.2', 81), /^near 172\.17\.0\.1$/);
    sh('ip -n near address add 192.168.77.1/32 dev lo');
    assert.ok(!fromBriefly('near', '192.168.77.1', address('v4')), 'an address that is not its containers');
  });

  test('behind a router, the tunnel carries both families up to its MTU, and larger packets in fragments', async () => {
    const { path, problems } = await testbed.networks.addPeer(far);
    assert.deepEqual([path?.kind, path?.mtu, problems], ['vxlan', 1430, []]);
    for (const [source, family, largest] of [
      ['192.168.13.2', 'v4', '1402'],
      ['fd00:3::2', 'v6', '1382'],
    ] as const) {
      assert.ok(pings(web.netnsPath, source), source);
      for (const options of [
        ['-M', 'do', '-s', largest],
        ['-s', '5000'],
      ]) {
        assert.ok(from('far', source, address(family), ...options), `${source} ${options.join(' ')}`);
        assert.ok(pings(web.netnsPath, source, ...options), `${source} ${options.join(' ')}`);
      }
    }
    assert.match(sh(`nsenter --net=${web.netnsPath} ip link show eth0`), /mtu 1430/);
    assert.equal(ask(ns('far'), 'tcp', address('v4'), 80, ',bind=192.168.13.2'), 'web 192.168.13.2');
    assert.match(ask(ns('far'), 'tcp', address('v6'), 80, ',bind=[fd00:3::2]'), /^web \[fd00:0003:/);
    assert.match(ask(web.netnsPath, 'tcp', 'fd00:3::2', 81), /^far \[fd00:000b:/);
    const { packets } = await testbed.networks.peer('far');
    assert.ok(packets.in > 0n && packets.out > 0n, 'they are counted');
  });

  test('TCP carries more than one window through the tunnel, in both directions', () => {
    const size = 4_000_000;
    for (const [to, options] of [
      ['TCP4:192.168.13.2:90', 'TCP4-LISTEN:90'],
      ['TCP6:[fd00:3::2]:91', 'TCP6-LISTEN:91,ipv6only'],
    ] as const) {
      const received =
        sh(`nsenter --net=${ns('far')} timeout 60 socat -u ${options},reuseaddr STDOUT | wc -c & reader=$!
        head -c ${size} /dev/zero | nsenter --net=${web.netnsPath} socat -u - ${to},retry=100,interval=0.1; wait $reader`);
      assert.equal(received.trim(), `${size}`, to);
    }
  });

  test('other hosts get no packet through, also in fragments, nor does the peer with other addresses', () => {
    const seen = (): string =>
      sh(`nsenter --net=${web.netnsPath} awk '/^Icmp6InEchos/ { print $2 }' /proc/net/snmp6
        nsenter --net=${web.netnsPath} awk '/^Icmp: [0-9]/ { print $10 }' /proc/net/snmp`);
    const before = seen();
    assert.ok(!fromBriefly('third', '192.168.13.2', address('v4')));
    assert.ok(!fromBriefly('third', 'fd00:3::2', address('v6')));
    sh('ip -n third link set v0 mtu 4000');
    assert.ok(!fromBriefly('third', 'fd00:3::2', address('v6'), '-s', '3000'), 'an outer packet in fragments');
    sh('ip -n far address add fd00:77::1/128 dev lo nodad');
    assert.ok(!fromBriefly('far', 'fd00:77::1', address('v6')), 'an address that is not its containers');
    sh('ip -n near route add fd00:c::/64 via 2001:db8::1; ip -n near address add fd00:3::9/128 dev lo nodad');
    assert.ok(
      !fromBriefly('near', 'fd00:3::9', address('v6')),
      "another peer, with an address of this one's containers",
    );
    assert.equal(seen(), before, 'no packet reached the container');
  });

  test('a fragment that ends before the VNI is not accepted from other hosts', async () => {
    const received = (): number => Number(/RX:.*\n\s+\d+ +(\d+)/.exec(sh('ip -s link show ny-vxlan6'))?.[1]);
    const before = received();
    sendInFragments('third', '2001:db8:9::3');
    sendInFragments('far', '2001:db8:9::2');
    await eventually('that of the peer arrives, after the other', () => received() > before);
    assert.equal(received(), before + 1);
  });

  test('VXLAN devices of other programs on the same port keep working', () => {
    sh(`ip link add theirs type vxlan id 7 local 2001:db8::1 remote 2001:db8:9::3 dstport 4789; ip link set theirs up
      ip address add 10.77.0.1/24 dev theirs
      ip -n third link add theirs type vxlan id 7 local 2001:db8:9::3 remote 2001:db8::1 dstport 4789
      ip -n third link set theirs up; ip -n third address add 10.77.0.2/24 dev theirs`);
    assert.ok(from('third', '10.77.0.2', '10.77.0.1'));
    sh('ip link delete theirs; ip -n third link delete theirs');
  });

  test("doctor names the chain of another firewall that drops the tunnel's packets, and the rule that it lacks", async () => {
    const found = async () => (await testbed.networks.inspect()).filter(({ id }) => id === 'tunnel');
    assert.deepEqual(
      (await found()).map(({ grade }) => grade),
      ['ok'],
    );
    sh(`nft 'add table inet fw; add chain inet fw input { type filter hook input priority 0; policy drop; }'
      nft 'add rule inet fw input ct state established,related accept; add rule inet fw input iif lo accept'
      nft 'add rule inet fw input meta l4proto ipv6-icmp accept; add rule inet fw input tcp dport 22 accept'`);
    assert.ok(!fromBriefly('far', '192.168.13.2', address('v4')));
    const [block] = await found();
    assert.deepEqual(block, {
      ...{ id: 'tunnel', grade: 'broken', fix: 'nft insert rule inet fw input udp dport 4789 accept' },
      text: 'chain inet fw input drops the packets of tunnels to peers (policy drop)',
    });
    sh(block?.fix ?? '');
    assert.ok(from('far', '192.168.13.2', address('v4')));
    assert.deepEqual(
      (await found()).map(({ grade }) => grade),
      ['ok'],
    );
    sh('nft delete table inet fw');
  });

  const breakages: [string, string][] = [
    ['a route is deleted', 'ip route delete 192.168.13.0/24'],
    ['an IPv6 route is deleted', 'ip -6 route delete fd00:3::/64'],
    ['the forwarding entry is deleted', `bridge fdb delete ${macs['2001:db8:9::2']} dev ny-vxlan6`],
    ['the peer is deleted from the set', 'nft delete element ip6 netyard_tunnel tunnel_peers { 2001:db8:9::2 }'],
    ['its subnet is deleted from the set', 'nft delete element ip6 netyard_tunnel tunnel_subnets { fd00:3::/64 }'],
    ['the table of the tunnel is deleted', 'nft delete table ip6 netyard_tunnel'],
    ['the rules are flushed', 'nft flush ruleset'],
    ['the tunnel is deleted', 'ip link delete ny-vxlan6'],
  ];
  for (const [what, command] of breakages)
    test(`the path is repaired after: ${what}`, async () => {
      await eventually('reachable before the change', reachable);
      sh(command);
      await eventually('the repair is complete', () => reachable() && /tunnel_outer/.test(sh('nft list ruleset')));
      if (command.startsWith('nft')) assert.ok(!fromBriefly('third', '192.168.13.2', address('v4')));
    });

  test('the tunnel follows a changed address of this host', async () => {
    sh('ip address add 2001:db8::7/64 dev up0 nodad; ip address delete 2001:db8::1/64 dev up0');
    meetAt('far', '2001:db8::7');
    await eventually('reachable again', reachable);
    assert.match(sh('ip -d link show ny-vxlan6'), new RegExp(`${macs['2001:db8::7']}[\\s\\S]* local 2001:db8::7 `));
    sh('ip address add 2001:db8::1/64 dev up0 nodad; ip address delete 2001:db8::7/64 dev up0');
    meetAt('far', '2001:db8::1');
    await eventually('and with the former one', reachable);
  });

  test('the path is restored after the uplink was down', async () => {
    sh('ip link set up0 down');
    await eventually('it has none', () => !sh('ip route').includes('192.168.13.0/24'));
    assert.match((await testbed.networks.peer('far')).problems[0] ?? '', /this host has none|no route leads to it/);
    sh('ip link set up0 up; ip address replace 2001:db8::1/64 dev up0 nodad; ip route add default via 2001:db8::fe');
    await eventually('reachable again', reachable);
    await eventually('by routes, too', () => fromBriefly('near', '192.168.12.2', address('v4')));
  });

  test('a restarted daemon keeps intact objects, and deletes those of unknown peers', async () => {
    const before = objects();
    await testbed.networks.close();
    sh(`nft 'add element ip6 netyard_tunnel tunnel_peers { 2001:db8:9::99 comment "peer gone" }'
      bridge fdb add 06:00:00:00:00:99 dev ny-vxlan6 dst 2001:db8:9::99
      ip route add 10.99.0.0/16 via inet6 2001:db8::99 dev up0 proto 78`);
    const stateless = new Testbed({ kernel });
    const found = await stateless.networks.cleanup({ dryRun: true });
    for (const part of ['ny-vxlan6', 'netyard_tunnel', '10.99.0.0/16', '2001:db8:9::99'])
      assert.ok(
        found.some((text) => text.includes(part)),
        `cleanup without any state finds ${part}`,
      );
    await stateless.close();
    await testbed.open(ipv6).start([web.containerId]);
    assert.equal(objects(), before);
    assert.ok(pings(web.netnsPath, 'fd00:3::2'));
  });

  test('removed peers leave nothing, and containers get their MTU back', async () => {
    await testbed.networks.removePeer('far');
    assert.match(sh(`nsenter --net=${web.netnsPath} ip link show eth0`), /mtu 1500/);
    assert.ok(from('near', '192.168.12.2', address('v4')), 'the other one is not affected');
    await testbed.networks.removePeer('near');
    assert.equal(objects(), bare);
    assert.equal(sh('conntrack -L -f ipv6 -s fd00:3::2 2>/dev/null; conntrack -L -d 192.168.13.2 2>/dev/null'), '');
    assert.ok(!fromBriefly('near', '192.168.12.2', address('v4')));
  });
});
