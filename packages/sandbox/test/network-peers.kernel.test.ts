/** Tests `netyard.peers=accept`: peers and subnets that the administrator accepts reach one network and no other. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { ask, askBriefly, inFreshHost, pingsBriefly, serve, sh } from '@netyard/testkit';
import { addressOf, bridgeNetwork, type Container, describeBridges, on } from './bridge-networks.ts';

const host = inFreshHost(import.meta.url);
const networks = [
  bridgeNetwork('open', 60, { options: { 'netyard.peers': 'accept' } }),
  bridgeNetwork('closed', 61),
  bridgeNetwork('apart', 62, { options: { 'netyard.peers': 'accept', enable_icc: 'false' } }),
];
const peerContainer = '192.168.12.2';
const vpnClient = '10.99.0.5';

describeBridges(host, { networks, bridgeNetfilter: ['1'] }, (testbed, neighbour) => {
  const containers = new Map<string, Container>();
  const of = (name: string): Container => {
    const found = containers.get(name);
    assert.ok(found);
    return found;
  };
  const answer = (source: string, name: string): string =>
    askBriefly(neighbour, 'tcp', addressOf(of(name)), 80, `,bind=${source}`);

  before(async () => {
    sh(`ip -n neighbour address add ${peerContainer}/32 dev lo; ip -n neighbour address add ${vpnClient}/32 dev lo`);
    sh('ip route add 10.99.0.0/24 via 192.0.2.9');
    for (const { name } of networks) {
      const container = await testbed.run(`web-${name}`, { mode: on(name) });
      await serve(container.netnsPath, 'tcp', 80, name);
      containers.set(name, container);
    }
    await serve(neighbour, 'tcp', 90, 'far');
  });

  test('containers of a peer reach networks that accept peers, and those only, with their own addresses', async () => {
    assert.equal(answer(peerContainer, 'open'), '');
    await testbed.networks.addPeer({ name: 'server2', address: '192.0.2.9', subnets: ['192.168.12.0/24'] });
    assert.equal(answer(peerContainer, 'open'), `open ${peerContainer}`);
    assert.equal(answer(peerContainer, 'apart'), `apart ${peerContainer}`);
    assert.equal(answer(peerContainer, 'closed'), '');
    assert.equal(ask(of('open').netnsPath, 'tcp', peerContainer, 90), `far ${addressOf(of('open'))}`);
  });

  test('others do not: the peer’s host, spoofed addresses of its containers, neighbouring networks', async () => {
    assert.equal(answer('192.0.2.9', 'open'), '');
    assert.equal(answer(vpnClient, 'open'), '');
    assert.ok(!pingsBriefly(of('closed').netnsPath, addressOf(of('open'))));
    sh(`nsenter --net=${of('closed').netnsPath} ip address add ${peerContainer}/32 dev lo`);
    assert.ok(!pingsBriefly(of('closed').netnsPath, addressOf(of('open')), '-I', peerContainer));
  });

  test('a subnet in the set `peers`, such as a VPN’s, reaches the network and back, and no other network', () => {
    sh("nft 'add element ip netyard peers { 10.99.0.0/24 }'");
    assert.equal(answer(vpnClient, 'open'), `open ${vpnClient}`);
    assert.equal(answer(vpnClient, 'closed'), '');
    assert.equal(ask(of('open').netnsPath, 'tcp', vpnClient, 90), `far ${addressOf(of('open'))}`);
    assert.equal(ask(of('closed').netnsPath, 'tcp', '192.0.2.9', 90), 'far 192.0.2.1', 'others are masqueraded');
  });
});
