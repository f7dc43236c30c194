/** Tests options of networks and endpoints inside the container: interface names, sysctls, another default gateway. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ask, inFreshHost, serve, sh } from '@netyard/testkit';
import { addressOf, bridgeNetwork, describeBridges, on } from './bridge-networks.ts';

const host = inFreshHost(import.meta.url);
const prefix = 'com.docker.network.';

const router = bridgeNetwork('router', 51);
const routed = {
  ...router,
  ipam: {
    driver: 'default',
    v4: [{ subnet: '10.51.0.0/24', gateway: '10.51.0.1', auxAddresses: { DefaultGatewayIPv4: '10.51.0.9' } }],
  },
};
const networks = [
  bridgeNetwork('named', 50, { options: { [`${prefix}container_iface_prefix`]: 'net' } }),
  routed,
  bridgeNetwork('plain', 52),
];
const sysctls = (text: string) => ({ driverOptions: { [`${prefix}endpoint.sysctls`]: text } });
const inside = (ns: string | undefined, command: string): string => sh(`nsenter --net=${ns} ${command}`).trim();

describeBridges(host, { networks, bridgeNetfilter: ['0'] }, (testbed, neighbour) => {
  test('container_iface_prefix and endpoint.ifname name the interfaces', async () => {
    const endpoints = [
      { network: 'named' },
      { network: 'plain', driverOptions: { [`${prefix}endpoint.ifname`]: 'lan' } },
    ];
    const { containerId, netnsPath } = await testbed.run('named', { mode: on('named'), endpoints });
    const names = (): string[] => inside(netnsPath, "ip -o link | awk -F'[:@ ]+' '{print $2}'").split('\n').sort();
    assert.deepEqual(names(), ['lan', 'lo', 'net0']);
    await testbed.networks.disconnect('named', containerId, false);
    await testbed.networks.connect('named', containerId, { network: 'named' });
    assert.deepEqual(names(), ['lan', 'lo', 'net0']);
  });

  test('endpoint.sysctls sets the endpoint’s interface, at start and at connect', async () => {
    const read = (key: string): string => inside(container.netnsPath, `sysctl -n ${key}`);
    const container = await testbed.run('sysctls', {
      mode: on('plain'),
      endpoints: [
        { network: 'plain', ...sysctls('net.ipv4.conf.IFNAME.proxy_arp=1,net.ipv6.conf.ifname.disable_ipv6=0') },
      ],
    });
    await testbed.networks.connect('named', container.containerId, {
      network: 'named',
      ...sysctls('net.ipv4.neigh.IFNAME.retrans_time_ms=1500'),
    });
    assert.equal(read('net.ipv4.conf.eth0.proxy_arp'), '1');
    assert.equal(read('net.ipv6.conf.eth0.disable_ipv6'), '0');
    assert.equal(read('net.ipv4.conf.net0.proxy_arp'), '0');
    assert.equal(read('net.ipv4.neigh.net0.retrans_time_ms'), '1500');
  });

  test('a sysctl that the kernel does not have fails the start, and leaves nothing', async () => {
    const missing = await testbed.create('missing', {
      mode: on('plain'),
      endpoints: [{ network: 'plain', ...sysctls('net.ipv4.conf.IFNAME.no_such=1') }],
    });
    const before = sh('ip -o link | wc -l; nft list ruleset');
    await assert.rejects(testbed.start(missing), /net\.ipv4\.conf\.eth0\.no_such/);
    assert.equal(sh('ip -o link | wc -l; nft list ruleset'), before);
  });

  test('packets leave through DefaultGatewayIPv4, which is no address of the host and never a container’s', async () => {
    sh('ip netns add gate; ip link add g0 netns gate type veth peer name g1; ip link set g1 master br-router up');
    sh(
      'ip -n gate link set g0 up; ip -n gate address add 10.51.0.9/24 dev g0; ip -n gate address add 203.0.113.1/32 dev g0',
    );
    try {
      const web = await testbed.run('web', { mode: on('router') });
      assert.match(inside(web.netnsPath, 'ip route'), /^default via 10\.51\.0\.9 dev eth0/m);
      assert.equal(web.endpoints[0]?.addresses.v4?.gateway, '10.51.0.9');
      assert.doesNotMatch(sh('ip -o -4 address show dev br-router'), /10\.51\.0\.9/);
      await serve('/run/netns/gate', 'tcp', 80, 'beyond');
      assert.equal(ask(web.netnsPath, 'tcp', '203.0.113.1', 80), `beyond ${addressOf(web)}`);
      await assert.rejects(
        testbed.run('taken', {
          mode: on('router'),
          endpoints: [{ network: 'router', addresses: { v4: '10.51.0.9' } }],
        }),
        /Address already in use/,
      );
      assert.notEqual(neighbour, '');
    } finally {
      sh('ip netns delete gate');
    }
  });
});
