/** Tests networks on a bridge that existed before: its addresses and settings stay, and it outlives the network. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { openKernel } from '@netyard/kernel';
import { ask, inFreshHost, serve, sh } from '@netyard/testkit';
import { on } from './bridge-networks.ts';
import { Testbed } from './testbed.ts';

const host = inFreshHost(import.meta.url);
const bridgeName = 'com.docker.network.bridge.name';

describe('a network on an existing bridge', host, () => {
  const kernel = openKernel();
  const testbed = new Testbed({ kernel });
  before(async () => {
    sh(
      'ip link add br9 address 02:00:00:00:00:09 up type bridge; ip address add 10.9.0.5/24 dev br9; ip address add 10.8.0.1/24 dev br9',
    );
    // A machine on the segment, as behind an uplink.
    sh('ip netns add machine; ip link add m0 netns machine type veth peer name m1; ip link set m1 master br9 up');
    sh('ip -n machine link set m0 up; ip -n machine address add 10.9.0.7/24 dev m0');
    await testbed.networks.start([]);
  });
  after(async () => {
    await testbed.close();
    kernel.close();
  });

  const create = (name: string, pool: { subnet: string; gateway?: string } | undefined, options = {}) =>
    testbed.networks.create({
      ...{ name, driver: 'bridge', options: { [bridgeName]: 'br9', ...options } },
      ...(pool ? { ipam: { v4: [pool] } } : {}),
    });
  /** What the bridge's owner may have set. Its MTU follows that of its ports. */
  const shown = (): string =>
    sh(
      [
        `ip -o link show br9 | sed 's/state .*mode/mode/; s/<[^>]*>//; s/mtu [0-9]*//'`,
        'ip -o -4 address show dev br9',
        'sysctl -a -r "net.ipv4.conf.br9.(route_localnet|forwarding|proxy_arp_pvlan)|net.ipv6.conf.br9.(accept_ra|disable_ipv6)"',
      ].join('; '),
    );

  test('uses the bridge’s address, reaches the segment, and leaves all as it was', async () => {
    const original = shown();
    await create('lan', { subnet: '10.9.0.0/24' });
    const { containerId, netnsPath, endpoints } = await testbed.run('web', { mode: on('lan') });
    assert.deepEqual(endpoints[0]?.addresses.v4?.gateway, '10.9.0.5');
    await serve('/run/netns/machine', 'tcp', 80, 'machine');
    await serve(netnsPath, 'tcp', 81, 'web');
    const own = endpoints[0]?.addresses.v4?.address ?? '';
    assert.equal(ask(netnsPath, 'tcp', '10.9.0.7', 80), `machine ${own}`);
    assert.equal(ask('/run/netns/machine', 'tcp', own, 81), 'web 10.9.0.7');
    assert.equal(sh('sysctl -n net.ipv4.conf.br9.route_localnet').trim(), '1');
    assert.equal(sh('ip -o -4 address show dev br9 | wc -l').trim(), '2');

    await testbed.networks.close();
    await testbed.open().start([containerId]);
    assert.equal(ask(netnsPath, 'tcp', '10.9.0.7', 80), `machine ${own}`);
    await testbed.remove(containerId);
    const planned = await testbed.networks.planRemove('lan');
    assert.ok(planned.every(({ object }) => object.kind !== 'bridge' && object.kind !== 'address'));
    await testbed.networks.remove('lan');
    assert.equal(shown(), original);
  });

  test('an automatic subnet is added to the bridge, and removed from it', async () => {
    const original = shown();
    await create('more', undefined);
    assert.match(sh('ip -o -4 address show dev br9'), /172\.18\.0\.1\/16/);
    const { containerId, netnsPath } = await testbed.run('more', { mode: on('more') });
    await serve(undefined, 'tcp', 82, 'host');
    assert.equal(ask(netnsPath, 'tcp', '10.8.0.1', 82), 'host 172.18.0.2');
    await testbed.remove(containerId);
    await testbed.networks.remove('more');
    assert.equal(shown(), original);
  });

  test('an address of the subnet that is not the gateway is not replaced: the request is rejected', async () => {
    const original = shown();
    await assert.rejects(
      create('lan', { subnet: '10.9.0.0/24', gateway: '10.9.0.1' }),
      /bridge IPv4 \(10\.9\.0\.5\) does not match requested configuration 10\.9\.0\.1/,
    );
    await assert.rejects(create('lan', undefined, { [bridgeName]: 'm1' }), /existing interface m1 is not a bridge/);
    assert.equal(shown(), original);
  });

  test('a deleted bridge is created again, and is then the network’s own', async () => {
    await create('lan', { subnet: '10.9.0.0/24', gateway: '10.9.0.5' });
    const { containerId, netnsPath } = await testbed.run('web', { mode: on('lan') });
    sh('ip link delete br9');
    await testbed.networks.close();
    await testbed.open().start([containerId]);
    await serve(undefined, 'tcp', 83, 'host');
    assert.equal(ask(netnsPath, 'tcp', '10.9.0.5', 83), 'host 10.9.0.1');
    await testbed.remove(containerId);
    await testbed.networks.remove('lan');
    assert.equal(sh('ip link show br9 2>&1 || true').trim(), 'Device "br9" does not exist.');
  });
});
