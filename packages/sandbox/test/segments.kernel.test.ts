/** Networks on several bridges with real packets: containers of different segments, the host, ports, repair, removal. */
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
  setBridgeNetfilter,
  sh,
} from '@netyard/testkit';
import type { SandboxConfig } from '../src/index.ts';
import { arpFrame, sendFrames } from './forged-frames.ts';
import { on, Testbed } from './testbed.ts';

const host = await inFreshHost(import.meta.url);

const linksOf = (kind: string, pattern: RegExp): string[] =>
  [...sh(`ip -o link show type ${kind}`).matchAll(pattern)].map(([, name = '']) => name).toSorted();
const bridges = (): string[] => linksOf('bridge', /: (nyb\w+)/g);
const pairs = (): string[] => linksOf('veth', /: (ny[tu]\w+)@/g);
const macOf = (link: string, ns = '/proc/self/ns/net'): string =>
  /link\/ether (\S+)/.exec(sh(`nsenter --net=${ns} ip -o link show ${link}`))?.[1] ?? '';

const masterOf = (link: string): string => / master (\S+) /.exec(sh(`ip -o link show ${link}`))?.[1] ?? '';

describe('a network on several bridges', host, () => {
  const kernel = openKernel();
  const testbed = new Testbed({ kernel, settings: { portsPerBridge: 2 } });
  const own = (): string => `br-${testbed.networks.get('large').id.slice(0, 12)}`;
  const run = async (name: string, overrides: Partial<SandboxConfig> = on('large')) => {
    const state = await testbed.run(name, overrides);
    const [endpoint] = state.endpoints;
    const addresses = [endpoint?.addresses.v4?.address ?? '', endpoint?.addresses.v6?.address ?? ''] as const;
    return {
      ...state,
      ns: state.netnsPath ?? '',
      addresses,
      link: endpoint?.hostLink ?? '',
      segment: endpoint?.segment,
    };
  };
  type Running = Awaited<ReturnType<typeof run>>;
  const members: Running[] = [];
  const member = (index: number): Running => members[index] as Running;

  before(async () => {
    setBridgeNetfilter('0');
    addUplink();
    addNeighbour('neighbour', 9);
    await testbed.networks.start([]);
    const pools = { v4: [{ subnet: '10.9.0.0/24' }], v6: [{ subnet: 'fd00:9::/64' }] };
    await testbed.networks.create({ name: 'large', driver: 'bridge', ipam: pools });
    for (let index = 0; index < 5; index += 1) {
      const ports = index === 4 ? [{ protocol: 'tcp' as const, containerPort: 80, hostPort: 8080 }] : [];
      members.push(await run(`member${index}`, { ...on('large'), ports }));
    }
  });
  after(async () => {
    await testbed.networks.close();
    kernel.close();
  });

  test('each bridge gets as many containers as configured', () => {
    assert.deepEqual(
      members.map(({ segment }) => segment),
      [undefined, undefined, 1, 1, 2],
    );
    const masters = members.map(({ link }) => masterOf(link));
    const [first = '', second = ''] = bridges();
    assert.deepEqual(masters, [own(), own(), first, first, second]);
    assert.deepEqual(bridges().length, 2);
    assert.match(sh(`ip -o link show ${first}`), /alias netyard: segment 1 of network large/);
  });

  test('containers of all segments reach each other, the host and the outside, over IPv4 and IPv6', async () => {
    await serve('/run/netns/neighbour', 'tcp', 9000, 'neighbour');
    for (const from of members) {
      for (const to of members)
        for (const address of to.addresses) assert.ok(pings(from.ns, address), `${from.link} to ${address}`);
      assert.ok(pings(from.ns, '10.9.0.1'));
      assert.ok(pings(from.ns, 'fd00:9::1'));
      assert.equal(ask(from.ns, 'tcp', '192.0.2.9', 9000), 'neighbour 192.0.2.1', 'masqueraded');
    }
  });

  test('only the network’s own bridge answers for the gateway', () => {
    sh(`ip netns exec ${member(4).ns.split('/').at(-1)} ip neighbour flush dev eth0`);
    assert.ok(pings(member(4).ns, '10.9.0.1'));
    const neighbour = sh(`ip netns exec ${member(4).ns.split('/').at(-1)} ip neighbour show 10.9.0.1`);
    assert.ok(neighbour.includes(macOf(own())), neighbour);
    for (const bridge of bridges()) assert.doesNotMatch(sh(`ip -o address show dev ${bridge}`), /inet/);
  });

  test('the host neither answers nor forwards what is sent to the MAC of a segment’s bridge', () => {
    const mac = macOf(masterOf(member(2).link));
    for (const target of ['192.0.2.9', '10.9.0.1']) assert.ok(pings(member(2).ns, target), `${target} by the gateway`);
    sh(`nsenter --net=${member(2).ns} ip neighbour replace 10.9.0.1 lladdr ${mac} dev eth0 nud permanent`);
    for (const target of ['192.0.2.9', '10.9.0.1']) assert.ok(!pingsBriefly(member(2).ns, target), target);
    sh(`nsenter --net=${member(2).ns} ip neighbour delete 10.9.0.1 dev eth0`);
    assert.ok(pings(member(2).ns, '10.9.0.1'));
  });

  test('a container cannot take the address of one on another segment', () => {
    const [victim, attacker] = [member(0), member(4)];
    assert.ok(pings(member(2).ns, victim.addresses[0]));
    const mac = macOf('eth0', attacker.ns);
    sendFrames({ netnsPath: attacker.ns }, arpFrame(mac, mac, victim.addresses[0], member(2).addresses[0]));
    const known = sh(`nsenter --net=${member(2).ns} ip neighbour show ${victim.addresses[0]}`);
    assert.ok(known.includes(macOf('eth0', victim.ns)), known);
    assert.ok(pings(member(2).ns, victim.addresses[0]));
  });

  test('a published port of a container on a segment is reachable from outside and from the others', async () => {
    await serve(member(4).ns, 'tcp', 80, 'web');
    assert.equal(ask('/run/netns/neighbour', 'tcp', '192.0.2.1', 8080), 'web 192.0.2.9');
    for (const from of members.slice(0, 4)) assert.match(ask(from.ns, 'tcp', '192.0.2.1', 8080), /^web /);
  });

  const hasMaster = (index: number, master: string) => (): boolean => masterOf(member(index).link) === master;
  const reaches = (from: number, to: number) => (): boolean => pingsBriefly(member(from).ns, member(to).addresses[0]);

  test('deleted bridges and pairs are created again, with their ports', async () => {
    const [bridge = ''] = bridges();
    sh(`ip link delete ${bridge}`);
    await eventually('the bridge has its ports', hasMaster(2, bridge));
    await eventually('it is joined to the network', reaches(2, 4));
    sh(`ip link delete ${pairs()[0]}`);
    await eventually('a pair is created', () => pairs().length === 4);
    await eventually('it joins the bridges', reaches(4, 0));
    sh(`ip link set ${member(2).link} master ${own()}`);
    await eventually('the port is moved back', hasMaster(2, bridge));
  });

  test('a pair is created again when an end of it was moved to another namespace', async () => {
    const trunk = pairs()[0] ?? '';
    sh('ip netns add elsewhere');
    for (const end of [trunk, trunk.replace('nyt', 'nyu')]) {
      sh(`ip link set ${end} netns elsewhere`);
      await eventually('a pair joins the bridges', () => pairs().length === 4 && reaches(2, 4)());
    }
    assert.doesNotMatch(sh('ip -n elsewhere -o link'), /ny[tu]/);
    sh('ip netns delete elsewhere');
  });

  test('settings of a segment’s bridge are restored, also when the host’s forwarding was switched off and on', async () => {
    const [bridge = ''] = bridges();
    const read = (key: string): string => sh(`sysctl -n net.${key}`).trim();
    const desired = {
      [`ipv4.conf.${bridge}.arp_ignore`]: '8',
      [`ipv4.conf.${bridge}.rp_filter`]: '1',
      [`ipv4.conf.${bridge}.forwarding`]: '0',
      [`ipv6.conf.${bridge}.disable_ipv6`]: '1',
    };
    for (const [key, value] of Object.entries(desired)) {
      sh(`sysctl -qw net.${key}=${value === '0' ? '1' : '0'}`);
      await eventually(`${key} is ${value}`, () => read(key) === value);
    }
    for (const value of ['0', '1']) sh(`sysctl -qw net.ipv4.ip_forward=${value}`);
    await eventually('the segment forwards nothing', () => read(`ipv4.conf.${bridge}.forwarding`) === '0');
    await eventually('the network forwards', () => read(`ipv4.conf.${own()}.forwarding`) === '1');
    assert.ok(reaches(2, 4)());
  });

  test('a restarted daemon finds the segments', async () => {
    await testbed.networks.close();
    const [bridge = ''] = bridges();
    sh(`ip link delete ${bridge}`);
    testbed.open();
    await testbed.networks.start([...testbed.containers.keys()]);
    assert.equal(masterOf(member(2).link), bridge);
    assert.ok(reaches(2, 4)());
    assert.equal(bridges().length, 2);
  });

  test('with br_netfilter all ports are on one bridge, also when it is switched on later', async (t) => {
    if (!setBridgeNetfilter('1')) return t.skip('needs br_netfilter');
    await eventually('all ports are on one bridge', () => members.every((_one, index) => hasMaster(index, own())()));
    await eventually('no segment is left', () => bridges().length === 0 && pairs().length === 0);
    assert.ok(reaches(2, 4)());
    const another = await run('another');
    assert.equal(another.segment, undefined);
    await testbed.stop(another.containerId);
    setBridgeNetfilter('0');
    await eventually('ports are on the segments again', () => /^nyb/.test(masterOf(member(4).link)));
    assert.equal(bridges().length, 2);
    assert.ok(reaches(2, 4)());
  });

  test('explain prints the segment of a container, and all of a network', async () => {
    const text = (name: string): string => JSON.stringify(testbed.networks.explain(name).objects);
    assert.equal([...text('member4').matchAll(/"kind":"bridge","name":"nyb/g)].length, 1);
    assert.equal([...text('member0').matchAll(/"kind":"bridge","name":"nyb/g)].length, 0);
    assert.equal([...text('large').matchAll(/"kind":"bridge","name":"nyb/g)].length, 2);
  });

  test('a segment is removed with its last container, and a free place is used first', async () => {
    await testbed.stop(member(4).containerId);
    assert.equal(bridges().length, 1);
    await testbed.stop(member(1).containerId);
    const again = await run('again');
    assert.equal(again.segment, undefined);
    await testbed.stop(member(2).containerId);
    await testbed.stop(member(3).containerId);
    assert.deepEqual([bridges(), pairs()], [[], []]);
  });

  test('segments are found and removed without any state', async () => {
    for (const name of ['second', 'third']) await run(name);
    assert.deepEqual([bridges().length, pairs().length], [1, 2]);
    await testbed.networks.close();
    sh(`ip netns add elsewhere && ip link set ${pairs()[0]} netns elsewhere`);
    const lost = new Testbed({ kernel });
    assert.match((await lost.networks.cleanup({ dryRun: true })).join('\n'), /nyb[0-9a-f]{10}01/);
    await lost.networks.cleanup({ dryRun: false });
    assert.deepEqual([bridges(), pairs()], [[], []]);
    sh('ip netns delete elsewhere');
    await lost.networks.close();
    testbed.open();
  });
});
