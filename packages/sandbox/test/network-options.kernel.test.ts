/** Tests driver options of bridge networks with real packets: source address, host binding, trusted interfaces, icc. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ask, askBriefly, inFreshHost, pings, pingsBriefly, serve, sh } from '@netyard/testkit';
import { addressOf, bridgeNetwork, describeBridges, on, probeBriefly } from './bridge-networks.ts';

const host = inFreshHost(import.meta.url);

const second = '192.0.2.2';
const networks = [
  bridgeNetwork('plain', 40),
  bridgeNetwork('source', 41, {
    options: { 'com.docker.network.host_ipv4': second, host_binding_ipv4: second },
  }),
  bridgeNetwork('trusted', 42, { options: { trusted_host_interfaces: 'none0:up0' } }),
  bridgeNetwork('apart', 43, { options: { enable_icc: 'false', enable_ip_masquerade: 'false' } }),
  bridgeNetwork('inhibited', 44, { options: { inhibit_ipv4: 'true' } }),
  bridgeNetwork('routed', 45, { options: { gateway_mode_ipv4: 'routed', enable_icc: 'false' } }),
];
const tcp = (containerPort: number, hostPort?: number) => ({
  ...{ protocol: 'tcp' as const, containerPort },
  ...(hostPort === undefined ? {} : { hostPort }),
});

describeBridges(host, { networks }, (testbed, neighbour) => {
  test('host_ipv4 replaces the source address, and host_binding_ipv4 is the address of ports without one', async () => {
    sh(`ip address add ${second}/24 dev up0`);
    await serve(neighbour, 'tcp', 90, 'outside');
    const web = await testbed.run('source-web', { mode: on('source'), ports: [tcp(80, 8041)] });
    await serve(web.netnsPath, 'tcp', 80, 'source');
    assert.equal(ask(web.netnsPath, 'tcp', '192.0.2.9', 90), `outside ${second}`);
    assert.equal(web.ports[0]?.hostAddress, second);
    assert.equal(ask(neighbour, 'tcp', second, 8041), 'source 192.0.2.9');
    assert.equal(askBriefly(neighbour, 'tcp', '192.0.2.1', 8041), '');
    const plain = await testbed.run('source-plain', { mode: on('plain') });
    assert.equal(ask(plain.netnsPath, 'tcp', '192.0.2.9', 90), 'outside 192.0.2.1');
    assert.equal(ask(plain.netnsPath, 'tcp', second, 8041), `source ${addressOf(plain)}`);
  });

  test('hosts behind a trusted interface reach published ports at the container’s address, others do not', async () => {
    const web = await testbed.run('trusted-web', { mode: on('trusted'), ports: [tcp(80, 8042)] });
    const plain = await testbed.run('trusted-plain', { mode: on('plain') });
    await serve(web.netnsPath, 'tcp', 80, 'trusted');
    await serve(web.netnsPath, 'tcp', 81, 'unpublished');
    const address = addressOf(web);
    assert.equal(ask(neighbour, 'tcp', address, 80), 'trusted 192.0.2.9');
    assert.deepEqual(await probeBriefly(neighbour, [`${address}:81`, address]), []);
    assert.deepEqual(await probeBriefly(plain.netnsPath, [`${address}:80`, address]), []);
    assert.match(ask(plain.netnsPath, 'tcp', '192.0.2.1', 8042), /^trusted /);
  });

  test('with enable_icc=false neighbours reach published ports only, and packets keep their source', async () => {
    const web = await testbed.run('apart-web', { mode: on('apart'), ports: [tcp(80, 8043)] });
    const client = await testbed.run('apart-client', { mode: on('apart'), links: ['apart-web:web'] });
    await serve(web.netnsPath, 'tcp', 80, 'apart');
    assert.deepEqual(await probeBriefly(client.netnsPath, [`${addressOf(web)}:80`, addressOf(web)]), []);
    for (const address of ['192.0.2.1', '10.43.0.1'])
      assert.equal(ask(client.netnsPath, 'tcp', address, 8043), `apart ${addressOf(client)}`);
    await serve(neighbour, 'tcp', 91, 'outside');
    assert.equal(ask(client.netnsPath, 'tcp', '192.0.2.9', 91), `outside ${addressOf(client)}`);
  });

  test('a routed network with enable_icc=false opens published ports to neighbours, but no ping', async () => {
    const web = await testbed.run('routed-web', { mode: on('routed'), ports: [tcp(80)] });
    const client = await testbed.run('routed-client', { mode: on('routed') });
    await serve(web.netnsPath, 'tcp', 80, 'routed');
    await serve(web.netnsPath, 'tcp', 81, 'unpublished');
    const address = addressOf(web);
    assert.equal(ask(client.netnsPath, 'tcp', address, 80), `routed ${addressOf(client)}`);
    assert.deepEqual(await probeBriefly(client.netnsPath, [`${address}:81`, address]), []);
    assert.ok(pings(neighbour, address));
  });

  test('a routed port is open in each routed network, though replies leave by the default route of another', async () => {
    const web = await testbed.run('two-networks', { mode: on('plain'), ports: [tcp(80, 8047)] });
    await serve(web.netnsPath, 'tcp', 80, 'two');
    await testbed.networks.connect('routed', web.containerId, { network: 'routed' });
    const state = testbed.networks.state(web.containerId);
    const address = state?.endpoints.find(({ networkName }) => networkName === 'routed')?.addresses.v4?.address ?? '';
    assert.equal(ask(neighbour, 'tcp', '192.0.2.1', 8047), 'two 192.0.2.9');
    assert.equal(ask(neighbour, 'tcp', address, 80), 'two 192.0.2.9');
    await testbed.networks.disconnect('routed', web.containerId, false);
    assert.doesNotMatch(
      sh('nft list table bridge netyard; nft list set ip netyard direct_ports'),
      new RegExp(` ${address} `),
    );
    assert.equal(ask(neighbour, 'tcp', '192.0.2.1', 8047), 'two 192.0.2.9');
  });

  test('inhibit_ipv4 leaves the bridge without an address, which remains the default route', async () => {
    const web = await testbed.run('inhibited-web', { mode: on('inhibited') });
    assert.equal(sh('ip -4 -o address show dev br-inhibited'), '');
    assert.match(sh(`nsenter --net=${web.netnsPath} ip route`), /^default via 10\.44\.0\.1 dev eth0/m);
    assert.ok(!pingsBriefly(web.netnsPath, '192.0.2.9'));
    sh('ip address add 10.44.0.1/24 dev br-inhibited');
    assert.ok(pings(web.netnsPath, '192.0.2.9'));
  });

  test('published ports follow the default route from one network to another', async () => {
    const web = await testbed.run('moving', { mode: on('routed'), ports: [tcp(80, 8046)] });
    await serve(web.netnsPath, 'tcp', 80, 'moving');
    const id = web.containerId;
    const state = () => testbed.networks.state(id);
    assert.equal(ask(neighbour, 'tcp', addressOf(web), 80), 'moving 192.0.2.9');
    await testbed.networks.connect('plain', id, { network: 'plain', gatewayPriority: 1 });
    assert.equal(ask(neighbour, 'tcp', '192.0.2.1', 8046), 'moving 192.0.2.9');
    await testbed.networks.disconnect('routed', id, false);
    assert.equal(ask(neighbour, 'tcp', '192.0.2.1', 8046), 'moving 192.0.2.9');
    assert.doesNotMatch(sh('nft list set ip netyard direct_ports'), new RegExp(`${addressOf(web)} `));
    assert.deepEqual(
      state()?.ports.map(({ hostAddress, hostPort }) => [hostAddress, hostPort]),
      [
        ['0.0.0.0', 8046],
        ['::', 8046],
      ],
    );
    await testbed.networks.disconnect('plain', id, false);
    assert.doesNotMatch(sh('nft list map ip netyard published_any'), /8046/);
  });
});
