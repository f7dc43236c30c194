/** VLAN sub-interfaces and dummy interfaces as parents of networks, with tagged packets, repair and removal. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { openKernel } from '@netyard/kernel';
import { eventually, inFreshHost, pings, pingsBriefly, sh } from '@netyard/testkit';
import { on, Testbed } from './testbed.ts';

const host = await inFreshHost(import.meta.url);
const kernel = openKernel();

async function missingKinds(): Promise<string[]> {
  const missing: string[] = [];
  for (const kind of ['vlan', 'dummy', 'ipvlan']) if (!(await kernel.supportsLinkKind(kind))) missing.push(kind);
  return missing;
}
const missing = host.skip === false ? await missingKinds() : [];
const options = missing.length === 0 ? host : { skip: `this kernel has no ${missing.join(', ')}` };

/** An uplink to a neighbour that has VLAN 10 only. */
const addSegment = (): void => {
  sh(`ip netns list | grep -q neighbour || ip netns add neighbour
    ip link add lan0 type veth peer name eth0 netns neighbour; ip link set lan0 up; ip -n neighbour link set eth0 up
    ip -n neighbour link add link eth0 name eth0.10 type vlan id 10; ip -n neighbour link set eth0.10 up
    ip -n neighbour address add 192.0.2.9/24 dev eth0.10; ip -n neighbour address add 2001:db8::9/64 dev eth0.10 nodad`);
};

describe('parents that networks create', options, () => {
  const testbed = new Testbed({ kernel });
  const run = async (name: string, network: string) => {
    const { containerId: id, netnsPath: ns = '', endpoints } = await testbed.run(name, on(network));
    return { id, ns, address: endpoints[0]?.addresses.v4?.address ?? '' };
  };
  const create = (name: string, driver: string, driverOptions: Record<string, string>, subnet = '192.0.2.0/24') => {
    const v4 = [{ subnet, range: subnet.replace('/24', '/27') }];
    const v6 = [{ subnet: subnet.startsWith('192') ? '2001:db8::/64' : 'fd00:7::/64' }];
    return testbed.networks.create({ name, driver, options: driverOptions, ipam: { v4, v6 } });
  };
  const links = (): string => sh('ip -d -o link');

  before(async () => {
    addSegment();
    await testbed.networks.start([]);
  });
  after(async () => {
    await testbed.networks.close();
    kernel.close();
  });

  test('containers reach neighbours of their VLAN, repaired with it and with its own parent', async () => {
    await create('lan', 'macvlan', { parent: 'lan0.10', 'netyard.host_access': '192.0.2.200' });
    const a = await run('a', 'lan');
    for (const address of ['192.0.2.9', '2001:db8::9']) assert.ok(pings(a.ns, address), address);
    assert.ok(pings(undefined, a.address));
    for (const command of ['ip link delete lan0.10', 'ip link set lan0.10 down', 'ip link delete lan0']) {
      sh(command);
      if (/lan0$/.test(command)) addSegment();
      await eventually(command, () => pingsBriefly(a.ns, '192.0.2.9') && pingsBriefly(undefined, a.address));
    }
    await testbed.remove(a.id);
    await testbed.networks.remove('lan');
    assert.doesNotMatch(links(), /lan0\.10|mh-/);
  });

  test('containers of an ipvlan network are hosts of their VLAN with the MAC of the parent, repaired with it', async () => {
    await create('lan', 'ipvlan', { parent: 'lan0.10' });
    const [a, b] = [await run('a', 'lan'), await run('b', 'lan')];
    const reach = (ping: typeof pings): boolean =>
      ['192.0.2.9', '2001:db8::9', b.address].every((address) => ping(a.ns, address));
    assert.ok(reach(pings));
    assert.equal(sh(`ip -n ${a.ns.split('/').at(-1)} route show default`), '');
    await testbed.stop(b.id);
    await testbed.start(b.id);
    assert.ok(reach(pings));
    sh('ip link delete lan0.10');
    await eventually('both return', () => reach(pingsBriefly));
    for (const { id } of [a, b]) await testbed.remove(id);
    await testbed.networks.remove('lan');
    assert.doesNotMatch(links(), /lan0\.10/);
  });

  test('in the modes l3 and l3s the parent routes, and other hosts reach containers through the host', async () => {
    sh('ip -n neighbour route add 10.20.0.0/24 via 192.0.2.1');
    for (const mode of ['l3', 'l3s']) {
      await create('routed', 'ipvlan', { parent: 'lan0.10', ipvlan_mode: mode }, '10.20.0.0/24');
      sh('ip address add 192.0.2.1/24 dev lan0.10');
      const [a, b] = [await run('a', 'routed'), await run('b', 'routed')];
      const netns = a.ns.split('/').at(-1);
      assert.match(sh(`ip -n ${netns} route show default`), /^default dev eth0 scope link/);
      assert.match(sh(`ip -n ${netns} -6 route show default`), /^default dev eth0 /);
      assert.ok(pings(a.ns, '192.0.2.9'), mode);
      assert.ok(pings('/run/netns/neighbour', b.address), mode);
      assert.ok(pings(a.ns, b.address), mode);
      for (const { id } of [a, b]) await testbed.remove(id);
      await testbed.networks.remove('routed');
    }
    assert.doesNotMatch(links(), /lan0\.10/);
  });

  test('containers of a network without a parent reach each other only', async () => {
    for (const driver of ['macvlan', 'ipvlan']) {
      await create('alone', driver, {}, '10.7.0.0/24');
      const [a, b] = [await run('a', 'alone'), await run('b', 'alone')];
      assert.ok(pings(a.ns, b.address), driver);
      sh(`ip link delete ${driver === 'macvlan' ? 'dm' : 'di'}-${testbed.networks.get('alone').id.slice(0, 12)}`);
      await eventually('they reach each other again', () => pingsBriefly(a.ns, b.address));
      for (const { id } of [a, b]) await testbed.remove(id);
      await testbed.networks.remove('alone');
    }
    assert.doesNotMatch(links(), /d[mi]-[0-9a-f]{12}/);
    assert.deepEqual(await testbed.networks.cleanup({ dryRun: true }), []);
  });
});
