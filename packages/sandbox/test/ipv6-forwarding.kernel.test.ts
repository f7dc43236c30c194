/**
 * Tests IPv6 forwarding: the first network with IPv6 enables it, uplinks keep their default routes from router
 * advertisements, and other hosts do not get a router.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { openKernel } from '@netyard/kernel';
import {
  addIpv6Neighbour,
  addIpv6Uplink,
  addNeighbour,
  addUplink,
  eventually,
  inFreshHost,
  pings,
  pingsBriefly,
  sh,
} from '@netyard/testkit';
import { on } from './bridge-networks.ts';
import { advertise } from './router-advertisement.ts';
import { Testbed } from './testbed.ts';

const host = inFreshHost(import.meta.url);

describe('IPv6 forwarding', host, () => {
  const kernel = openKernel();
  const testbed = new Testbed({ kernel });
  const forwarding = (): string => sh('sysctl -n net.ipv6.conf.all.forwarding').trim();
  const defaultRoute = (): string => sh('ip -6 route show default dev up0');
  const create = (name: string): Promise<unknown> =>
    testbed.networks.create({ name, driver: 'bridge', ipam: { v6: [{ subnet: 'fd00:1::/64' }] } });

  before(async () => {
    addUplink();
    for (const [name, number] of [
      ['router', 9],
      ['other', 8],
    ] as const) {
      addNeighbour(name, number);
      addIpv6Neighbour(name, number);
    }
    addIpv6Uplink();
    sh('sysctl -qw net.ipv6.conf.up0.accept_ra=1');
    await testbed.networks.start([]);
    await eventually('the uplink has a default route from an advertisement', () => {
      advertise('/run/netns/router');
      return defaultRoute().includes('proto ra');
    });
  });
  after(async () => {
    await testbed.close();
    kernel.close();
  });

  test('networks of IPv4 leave IPv6 of the host alone', async () => {
    await testbed.networks.create({ name: 'four', driver: 'bridge' });
    assert.equal(forwarding(), '0');
    assert.doesNotMatch(sh('nft list tables'), /ip6/);
  });

  test('a dry run shows the settings and changes none', async () => {
    const operations = await testbed.networks.planCreate({ name: 'six', driver: 'bridge', ipam: { v6: [] } });
    const settings = operations.flatMap(({ object }) =>
      object.kind === 'sysctl' ? [`${object.key}=${object.value}`] : [],
    );
    const order = ['net.ipv6.conf.up0.accept_ra=2', 'net.ipv6.conf.all.forwarding=1'];
    assert.deepEqual(
      settings.filter((text) => order.includes(text)),
      order,
    );
    assert.equal(forwarding(), '0');
    assert.equal(sh('sysctl -n net.ipv6.conf.up0.accept_ra').trim(), '1');
  });

  test('a network that cannot be created leaves nothing behind, and the uplink as it was', async () => {
    const { putNetwork } = testbed.store;
    testbed.store.putNetwork = () => {
      throw new Error('disk full');
    };
    await assert.rejects(create('failing'), /disk full/);
    testbed.store.putNetwork = putNetwork;
    assert.ok(defaultRoute().includes('proto ra'));
    assert.equal(sh('ip -6 route show fd00:1::/64'), '');
  });

  test('the first network with IPv6 enables forwarding, also in chains of others, and the uplink keeps its default route', async () => {
    // As ip6tables and ufw do.
    sh(
      "nft add table ip6 filter; nft 'add chain ip6 filter FORWARD { type filter hook forward priority 0; policy drop; }'",
    );
    await create('six');
    assert.equal(forwarding(), '1');
    assert.equal(sh('sysctl -n net.ipv6.conf.up0.accept_ra').trim(), '2');
    assert.ok(defaultRoute().includes('proto ra'));
    const { netnsPath } = await testbed.run('one', { mode: on('six') });
    assert.ok(pings(netnsPath, '2001:db8::9'), 'accepted in the other chain');
    assert.equal(sh('nft list chain ip6 filter FORWARD').split('comment "netyard: ').length, 3);
    sh('nft delete table ip6 filter');
  });

  test('other hosts do not use this one as a router', () => {
    sh('ip -n other address delete 2001:db8::8/64 dev eth0; ip -n other address add 2001:db8:8::8/64 dev eth0 nodad');
    sh('ip address add 2001:db8:8::1/64 dev up0 nodad; ip -n other route add 2001:db8::/64 via 2001:db8:8::1');
    sh('ip -n router route add 2001:db8:8::/64 via 2001:db8::1');
    assert.ok(pings('/run/netns/other', '2001:db8:8::1'));
    assert.ok(!pingsBriefly('/run/netns/other', '2001:db8::9'));
  });

  test('the daemon remembers after a restart that it enabled forwarding, also without a network', async () => {
    await testbed.networks.close();
    await testbed.open().start([...testbed.containers.keys()]);
    assert.ok(!pingsBriefly('/run/netns/other', '2001:db8::9'));
    for (const id of [...testbed.containers.keys()]) await testbed.remove(id);
    await testbed.networks.remove('six');
    await testbed.networks.close();
    await testbed.open().start([]);
    assert.ok(!pingsBriefly('/run/netns/other', '2001:db8::9'));
    assert.equal(forwarding(), '1');
  });

  test('forwarding that another program disables is enabled again while a network needs it', async () => {
    await create('six');
    sh('sysctl -qw net.ipv6.conf.all.forwarding=0');
    await eventually('it is enabled', () => forwarding() === '1');
  });

  test('with --ip-forward-no-drop other hosts may; with forwarding of the administrator nothing is dropped', async () => {
    await testbed.networks.close();
    await testbed.open({ dropForeignForwarding: false }).start([]);
    assert.ok(pings('/run/netns/other', '2001:db8::9'));
    await testbed.networks.close();
    sh('nft delete table ip6 netyard');
    await testbed.open().start([]);
    assert.ok(pings('/run/netns/other', '2001:db8::9'));
  });
});
