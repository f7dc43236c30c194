/**
 * Tests a network of the cluster with IPv6, with real packets: its containers on this host and on another one reach each other
 * with both families through the tunnel, with their own addresses, and nothing else reaches them. The remote end is configured
 * with iproute2.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { openKernel } from '@netyard/kernel';
import type { PeerRequest } from '@netyard/peers';
import { addNeighbour, addUplink, ask, eventually, inFreshHost, pings, serve, sh } from '@netyard/testkit';
import type { ClusterNetwork, SandboxState } from '../src/index.ts';
import { Testbed } from './testbed.ts';

const host = inFreshHost(import.meta.url);
const network = (name: string, letter: string, number: number, more: Partial<ClusterNetwork> = {}): ClusterNetwork => ({
  ...{ id: letter.repeat(64), name, created: 1n, internal: false, attachable: true, options: {}, labels: {} },
  ...{ subnet: `10.${number}.0.0/16`, partSize: 24, part: `10.${number}.7.0/24` },
  ipv6: { subnet: `fd00:${number}::/48`, partSize: 64, part: `fd00:${number}:0:7::/64` },
  ...more,
});
const back = network('back', 'b', 128);
const front = network('front', 'f', 129);
const inner = network('inner', 'c', 130, { internal: true });
const networks = [back, front, inner];
const far: PeerRequest = { name: 'far', address: '192.0.2.2', subnets: ['192.168.12.0/24'] };
const partOf = (name: string, number: number): PeerRequest => ({
  ...{ name: `far/${name}`, address: far.address, network: name },
  subnets: [`10.${number}.9.0/24`, `fd00:${number}:0:9::/64`],
});
const parts = [partOf('back', 128), partOf('front', 129), partOf('inner', 130)];
const ourMac = '02:6e:c0:00:02:01';

/** A host with its end of the tunnel, and addresses on lo that stand in for containers: see tunnel.kernel.test.ts. */
function addHost(name: string, number: number): string {
  const ns = addNeighbour(name, number);
  sh(`ip -n ${name} link add v0 address 02:6e:c0:00:02:0${number} mtu 1450 type vxlan id 28281 local 192.0.2.${number} dstport 4789 nolearning
    ip -n ${name} link set v0 up; ip -n ${name} link set lo up
    bridge -n ${name} fdb add ${ourMac} dev v0 dst 192.0.2.1
    ip -n ${name} neighbour add 192.0.2.1 lladdr ${ourMac} dev v0 nud permanent
    ip -n ${name} neighbour add fe80::1 lladdr ${ourMac} dev v0 nud permanent`);
  return ns;
}

/** An address of each family that stands in for a container of a network, and the routes to our parts. */
const addContainer = (name: string, number: number, at: number): string =>
  sh(`ip -n ${name} address add 10.${number}.9.${at}/32 dev lo; ip -n ${name} address add fd00:${number}:0:9::${at}/128 dev lo nodad
    ip -n ${name} route replace 10.${number}.7.0/24 via 192.0.2.1 dev v0 onlink src 10.${number}.9.${at}
    ip -n ${name} route replace fd00:${number}:0:7::/64 via fe80::1 dev v0 src fd00:${number}:0:9::${at}`);

const objects = (): string =>
  sh('ip route; ip -6 route; ip -o link; bridge fdb; ip neighbour show nud permanent; nft list ruleset');

describe('a network of the cluster with IPv6', host, () => {
  const kernel = openKernel();
  const testbed = new Testbed({ kernel });
  const containers = new Map<string, SandboxState & { containerId: string }>();
  let [farNs, thirdNs] = ['', ''];
  before(async () => {
    addUplink();
    farNs = addHost('far', 2);
    thirdNs = addHost('third', 3);
    for (const number of [128, 129, 130]) addContainer('far', number, 2);
    sh(
      `ip -n far address add 192.168.12.2/32 dev lo; ip -n far route add 172.17.0.0/16 via 192.0.2.1 src 192.168.12.2`,
    );
    await testbed.networks.start([]);
    assert.deepEqual(await testbed.networks.setClusterNetworks(networks), []);
    for (const { name } of networks) {
      const onNetwork = { mode: { kind: 'network', ref: name } as const, endpoints: [{ network: name }] };
      containers.set(name, await testbed.run(name, onNetwork));
    }
    containers.set('bridge', await testbed.run('bridged'));
  });
  after(async () => {
    await testbed.close();
    kernel.close();
  });

  const ns = (name: string): string => containers.get(name)?.netnsPath ?? '';
  const addresses = (name: string): string[] => {
    const { v4, v6 } = containers.get(name)?.endpoints[0]?.addresses ?? {};
    return [v4?.address ?? '', v6?.address ?? ''];
  };
  const remote = (number: number, at = 2): string[] => [`10.${number}.9.${at}`, `fd00:${number}:0:9::${at}`];
  /** Pings to each address; with the source address of the same family, if given. */
  const reaches = (from: string, targets: string[], sources: string[] = []): boolean[] =>
    targets.map((target, family) => pings(from, target, ...(sources[family] ? ['-I', sources[family]] : [])));
  /** The same, all at once, without patience. */
  const briefly = (from: string, targets: string[], sources: string[] = []): boolean[] => {
    const attempts = targets.map((target, family) => {
      const source = sources[family] === undefined ? '' : `-I ${sources[family]}`;
      return `nsenter --net=${from} ping -c 1 -w 1 ${source} ${target} > /dev/null 2>&1 && echo ${target} &`;
    });
    const answered = sh(`${attempts.join('\n')}\nwait`).split('\n');
    return targets.map((target) => answered.includes(target));
  };
  const [both, none] = [
    [true, true],
    [false, false],
  ];

  test('containers of two hosts reach each other with both families once the parts are known', async () => {
    assert.deepEqual(await testbed.networks.setClusterPeers([far]), []);
    assert.deepEqual(briefly(ns('back'), remote(128)), none);
    assert.deepEqual(await testbed.networks.setClusterPeers([far, ...parts]), []);
    assert.deepEqual(reaches(ns('back'), remote(128)), both);
    assert.deepEqual(reaches(farNs, addresses('back'), remote(128)), both);
    for (const { problems } of await testbed.networks.peers()) assert.deepEqual(problems, []);
  });

  test('their addresses are kept, and the host itself reaches them with its address on the network', async () => {
    const [v4 = '', v6 = ''] = addresses('back');
    await serve(ns('back'), 'tcp', 80, 'back', { family: 6 });
    await serve(farNs, 'tcp', 81, 'far', { family: 6 });
    const full = (part: number, at: number): string => `[fd00:0128:0000:000${part}:0000:0000:0000:000${at}]`;
    assert.equal(ask(farNs, 'tcp', v6, 80, ',bind=[fd00:128:0:9::2]'), `back ${full(9, 2)}`);
    assert.equal(ask(ns('back'), 'tcp', 'fd00:128:0:9::2', 81), `far ${full(7, 2)}`);
    assert.equal(ask(undefined, 'tcp', 'fd00:128:0:9::2', 81), `far ${full(7, 1)}`);
    assert.ok(pings(farNs, v4, '-I', '10.128.9.2'));
  });

  test('the subnet of the other host’s default bridge keeps its route', () => {
    assert.match(sh('ip route get 192.168.12.2'), /via 192\.0\.2\.2 dev up0/);
    assert.match(sh('ip route get 10.128.9.2'), /via 192\.0\.2\.2 dev ny-vxlan/);
    assert.ok(pings(ns('bridge'), '192.168.12.2'));
  });

  test('an internal network reaches its parts on other hosts and nothing else', () => {
    assert.deepEqual(reaches(ns('inner'), remote(130)), both);
    assert.deepEqual(reaches(farNs, addresses('inner'), remote(130)), both);
    assert.deepEqual(briefly(ns('inner'), ['192.0.2.2', 'fd00:130:0:55::1']), none);
    assert.deepEqual(briefly(ns('inner'), remote(128)), none);
  });

  test('no other network and no other host reaches its containers', () => {
    const seen = (): string =>
      sh(
        `nsenter --net=${ns('back')} awk '/^Icmp6InEchos / { print $2 }' /proc/net/snmp6; nsenter --net=${ns('back')} awk '/^Icmp: [0-9]/ { print $9 }' /proc/net/snmp`,
      );
    const before = seen();
    for (const name of ['front', 'inner', 'bridge']) assert.deepEqual(briefly(ns(name), addresses('back')), none, name);
    assert.deepEqual(briefly(farNs, addresses('back'), remote(129)), none, 'from the other network of the other host');
    assert.deepEqual(briefly(farNs, addresses('front'), remote(128)), none);
    addContainer('third', 128, 3);
    assert.deepEqual(
      briefly(thirdNs, addresses('back'), remote(128, 3)),
      none,
      'another host with addresses of the part',
    );
    sh('ip -n third address add fd00:9::3/64 dev eth0 nodad; ip address add fd00:9::1/64 dev up0 nodad');
    sh(
      'ip -n third route replace fd00:128:0:7::/64 via fd00:9::1; ip -n third route replace 10.128.7.0/24 via 192.0.2.1',
    );
    assert.equal(briefly(thirdNs, addresses('back'), remote(128, 3))[1], false, 'routed, without a tunnel');
    sh('ip address delete fd00:9::1/64 dev up0');
    assert.equal(seen(), before, 'no packet reached the container');
  });

  const breakages: [string, string][] = [
    ['the route is deleted', 'ip route delete fd00:128:0:9::/64'],
    ['the neighbours are deleted', 'ip neighbour flush dev ny-vxlan nud permanent'],
    [
      'the elements of the network are deleted',
      'nft flush set ip6 netyard cluster_bridges; nft flush set ip6 netyard cluster_subnets',
    ],
    [
      'the elements of the parts are deleted',
      'nft flush set ip6 netyard peer_ingress_64; nft flush set ip6 netyard peer_egress_64',
    ],
    ['the tunnel is deleted', 'ip link delete ny-vxlan'],
  ];
  for (const [what, command] of breakages)
    test(`the paths are repaired after: ${what}`, async () => {
      sh(command);
      await eventually('the repair is complete', () => {
        const rules = sh('nft list ruleset');
        const out = briefly(ns('back'), remote(128));
        const isOpen = [...out, ...briefly(farNs, addresses('back'), remote(128))].every((one) => one);
        return isOpen && rules.includes('fd00:128::/48') && rules.includes('fd00:130::/48');
      });
    });

  test('a restarted daemon changes nothing before and after it knows the cluster again', async () => {
    await testbed.networks.close();
    await testbed
      .open({ awaitClusterPeers: true })
      .start([...containers.values()].map(({ containerId }) => containerId));
    assert.deepEqual(reaches(ns('back'), remote(128)), both);
    await testbed.networks.setClusterPeers([far, ...parts]);
    assert.deepEqual(await testbed.networks.setClusterNetworks(networks), []);
    assert.deepEqual(reaches(ns('back'), remote(128)), both);
    assert.deepEqual(reaches(farNs, addresses('back'), remote(128)), both);
  });

  test('a host that leaves and networks that are removed leave nothing', async () => {
    await testbed.networks.setClusterPeers([]);
    assert.deepEqual(briefly(ns('back'), remote(128)), none);
    for (const { containerId } of containers.values()) await testbed.networks.release(containerId);
    assert.deepEqual(await testbed.networks.setClusterNetworks([]), []);
    assert.doesNotMatch(objects(), /fd00:1|10\.1\d\d\.|fe80::c000|ny-vxlan:|proto 78/);
  });
});
