/** Peers with an IPv6 address: validation, path, plan, tunnel and events. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isNetyardError } from '@netyard/core';
import { type KernelObject, type ObservedAddress, type ObservedRoute, routeFamily } from '@netyard/kernel';
import type { PeerPath, PeerRequest } from './contract.ts';
import { peersOfElement, scopeOf } from './events.ts';
import { checkPlacement, type HostView } from './host-view.ts';
import { chooseTunnel } from './operations/tunnel.ts';
import { checkPeerRequest, parsePeerText } from './parse.ts';
import { findPath } from './path.ts';
import { peerProtocol, planPeer } from './plan.ts';
import { type Peer, PeerTable } from './table.ts';
import { ipv6Gateway, macOfGateway, planTunnel, tunnelMac } from './tunnel.ts';

const refuses = (code: string, message: RegExp) => (error: unknown) => {
  assert.ok(isNetyardError(error), String(error));
  assert.match(error.message, message);
  assert.equal(error.code, code);
  return true;
};

const near = checkPeerRequest({
  name: 'near',
  address: '2001:DB8::0:2',
  subnets: ['192.168.12.0/24', 'fd00:2::/64'],
});
const far = { ...near, name: 'far', address: '2001:db8:9::2' };

const address = (link: string, prefix: string, part: Partial<ObservedAddress> = {}): ObservedAddress => ({
  ...{ link, linkIndex: 2, prefix, scope: prefix.startsWith('fe80:') ? 253 : 0 },
  ...part,
});
const route = (to: string, link: string, via?: string, part: Partial<ObservedRoute> = {}): ObservedRoute => ({
  ...{ family: routeFamily({ to, ...(via === undefined ? {} : { via }) }), to, link, table: 254, protocol: 2 },
  ...(via === undefined ? {} : { via }),
  ...part,
});
const host: HostView = {
  links: ['lo', 'eth0', 'eth1', 'docker0'].map((name, index) => ({
    ...{ name, index: index + 1, mtu: 1500, up: name !== 'eth1', running: true },
  })),
  addresses: [
    address('lo', '::1/128', { scope: 254 }),
    address('eth0', 'fe80::1/64'),
    address('eth0', '2001:db8::9f/64', { transient: true }),
    address('eth0', '2001:db8::1/64'),
    address('eth0', 'fd77::1/64'),
    address('docker0', '192.168.11.1/24'),
    address('docker0', 'fd00:1::1/64'),
  ],
  routes: [
    route('fe80::/64', 'eth0'),
    route('2001:db8::/64', 'eth0'),
    route('fd77::/64', 'eth0'),
    route('fd00:1::/64', 'docker0'),
    route('default', 'eth0', 'fe80::ff', { protocol: 9 }),
    route('default', 'eth9', '192.0.2.254'),
  ],
  bridges: [
    { networkName: 'bridge', link: 'docker0', subnet: '192.168.11.0/24', gateway: '192.168.11.1' },
    { networkName: 'bridge', link: 'docker0', subnet: 'fd00:1::/64', gateway: 'fd00:1::1' },
  ],
};

test('an address is put into canonical form; only one that other hosts can send to is accepted', () => {
  assert.equal(near.address, '2001:db8::2');
  assert.deepEqual(parsePeerText('a=fd77::2,10.1.0.0/16,via=route').address, 'fd77::2');
  const check = (part: Partial<PeerRequest>) => () => checkPeerRequest({ ...near, ...part });
  for (const bad of ['fe80::2', 'fe80::2%eth0', 'febf::1'])
    assert.throws(
      check({ address: bad }),
      refuses('invalid', /cannot be the address of a peer: it is link-local/),
      bad,
    );
  for (const bad of ['::', '::1', '::ffff:192.0.2.1', 'ff02::1'])
    assert.throws(check({ address: bad }), refuses('invalid', /cannot be the address of a peer/), bad);
  for (const bad of ['2001:db8::2%eth0', '2001:db8::2/64', '2001:db8'])
    assert.throws(check({ address: bad }), refuses('invalid', /invalid IP address/), bad);
  assert.throws(check({ subnets: ['2001:db8::/48'] }), refuses('invalid', /contains the peer's own address/));
  assert.equal(check({ via: 'route' })().via, 'route', 'IPv6 subnets can be reached by a route');
});

test('an on-link peer is reached by routes of both families via its address', () => {
  const path = findPath(near, host);
  assert.deepEqual(path, {
    ...{ kind: 'route', link: 'eth0', gateway: '2001:db8::2', source: '192.168.11.1', ipv6Source: 'fd00:1::1' },
    ...{ uplink: 'eth0', local: '2001:db8::1', shared: true, mtu: 1500 },
  });
  const planned = planPeer(near, path);
  assert.deepEqual(
    planned.filter(({ kind }) => kind === 'route'),
    [
      {
        ...{ kind: 'route', to: '192.168.12.0/24', via: '2001:db8::2', link: 'eth0', source: '192.168.11.1' },
        protocol: peerProtocol,
      },
      {
        ...{ kind: 'route', to: 'fd00:2::/64', via: '2001:db8::2', link: 'eth0', source: 'fd00:1::1' },
        protocol: peerProtocol,
      },
    ],
  );
  assert.deepEqual(elementsOf(planned), [
    'ip6 netyard_tunnel tunnel_peers 2001:db8::2',
    'ip netyard peer_ingress_24 "eth0" . 192.168.12.0',
    'ip netyard peer_ingress_24 "ny-vxlan6" . 192.168.12.0',
    'ip netyard peer_egress_24 "eth0" . 192.168.12.0',
    'ip netyard peer_packets_in_24 192.168.12.0',
    'ip netyard peer_packets_out_24 192.168.12.0',
    'ip6 netyard_tunnel tunnel_subnets fd00:2::/64',
    'ip6 netyard peer_ingress_64 "eth0" . fd00:2::',
    'ip6 netyard peer_ingress_64 "ny-vxlan6" . fd00:2::',
    'ip6 netyard peer_egress_64 "eth0" . fd00:2::',
    'ip6 netyard peer_packets_in_64 fd00:2::',
    'ip6 netyard peer_packets_out_64 fd00:2::',
  ]);
  const routed = elementsOf(planPeer({ ...near, via: 'route' }, path));
  assert.ok(!routed.some((text) => /tunnel/.test(text) || /vxlan/.test(text)), 'nothing is accepted from a tunnel');
});

function elementsOf(objects: readonly KernelObject[]): string[] {
  return objects.flatMap((object) =>
    object.kind === 'nft-element' ? [`${object.family} ${object.table} ${object.set} ${object.key}`] : [],
  );
}

test('a peer behind a router is reached through the tunnel of its family', () => {
  const path = findPath(far, host);
  assert.deepEqual(path, {
    ...{ kind: 'vxlan', link: 'ny-vxlan6', gateway: '2001:db8:9::2', source: '192.168.11.1', ipv6Source: 'fd00:1::1' },
    ...{ uplink: 'eth0', local: '2001:db8::1', shared: false, mtu: 1430 },
  });
  const mac = tunnelMac(far.address);
  assert.match(mac, /^06(:[0-9a-f]{2}){5}$/);
  const via = ipv6Gateway(far.address);
  assert.match(via, /^fe80::6[0-9a-f]{2}:/);
  const way = { link: 'ny-vxlan6', protocol: peerProtocol, via };
  assert.deepEqual(
    planPeer(far, path).filter(({ kind }) => kind !== 'nft-element'),
    [
      { kind: 'fdb', link: 'ny-vxlan6', mac, remote: '2001:db8:9::2' },
      { kind: 'neighbour', link: 'ny-vxlan6', address: via, mac },
      { kind: 'route', to: '192.168.12.0/24', source: '192.168.11.1', ...way },
      { kind: 'route', to: 'fd00:2::/64', source: 'fd00:1::1', ...way },
    ],
  );
  const elements = elementsOf(planPeer(far, path));
  assert.ok(elements.includes('ip6 netyard peer_ingress_64 "ny-vxlan6" . fd00:2::'));
  assert.ok(!elements.some((text) => text.includes('"eth0"')), 'from the tunnel only');
});

test('the MAC of a gateway is found without knowing the peer', () => {
  for (const peer of ['10.9.1.2', '2001:db8:9::2', 'fd77::2'])
    assert.equal(macOfGateway(ipv6Gateway(peer)), tunnelMac(peer), peer);
  assert.equal(macOfGateway('10.9.1.2'), tunnelMac('10.9.1.2'));
  assert.equal(macOfGateway('fe80::1:0:0:0'), undefined);
  assert.equal(macOfGateway('2001:db8::1'), undefined);
});

test("this host's address is chosen for the destination, and is never a temporary one", () => {
  const localTo = (to: string, part: Partial<HostView> = {}): string => {
    const { kind, local } = findPath({ ...near, address: to }, { ...host, ...part });
    return `${kind} ${local}`;
  };
  assert.equal(localTo('fd77::8'), 'route fd77::1');
  assert.equal(localTo('2001:db8:5::8'), 'vxlan 2001:db8::1');
  const { routes, addresses } = host;
  assert.equal(
    localTo('2001:db8::8', { routes: [route('2001:db8::/64', 'eth0', undefined, { source: '2001:db8::77' })] }),
    'route 2001:db8::77',
    'the source of the route',
  );
  const onlyTransient = addresses.filter(({ prefix }) => prefix !== '2001:db8::1/64' && prefix !== 'fd77::1/64');
  assert.equal(localTo('2001:db8::8', { addresses: onlyTransient }), 'route 2001:db8::9f', 'rather than none');
  const ofLoopback = [...addresses.filter(({ link }) => link !== 'eth0'), address('lo', '2001:db8:7::1/128')];
  assert.equal(localTo('2001:db8:5::8', { addresses: ofLoopback }), 'vxlan 2001:db8:7::1', 'of a router');
  const onLink = [...routes, route('2001:db8:5::8/128', 'eth0')];
  assert.equal(localTo('2001:db8:5::8', { routes: onLink }), 'route 2001:db8::1', 'on-link by a host route');
  const behind = routes.map((one) => (one.to === '2001:db8::/64' ? { ...one, via: 'fe80::ff' } : one));
  assert.equal(localTo('2001:db8::8', { routes: behind }), 'vxlan 2001:db8::1', 'the prefix is not on-link');
  const intoTunnel = [route('default', 'eth0', undefined, { family: 6 })];
  assert.equal(localTo('2001:db8::8', { routes: intoTunnel }), 'vxlan 2001:db8::1');
});

test('unreachable addresses, and those of this host, are rejected', () => {
  const at = (to: string, part: Partial<HostView> = {}, via: PeerRequest['via'] = 'auto') => {
    const peer = { ...near, address: to, via };
    checkPlacement(peer, { ...host, ...part }, 'new');
    return findPath(peer, { ...host, ...part });
  };
  assert.throws(() => at('2001:db8::1'), refuses('invalid', /is an address of this host/));
  assert.throws(() => at('fd00:1::9'), refuses('invalid', /is in our own network bridge/));
  assert.throws(() => at('2001:db8::'), refuses('invalid', /is not a host address in 2001:db8::\/64/));
  assert.throws(() => at('2001:db8:9::2', {}, 'route'), refuses('invalid', /is on no link of this host/));
  assert.throws(() => at('2001:db8:9::2', { routes: [] }), refuses('invalid', /no route leads to it/));
  const ipv4Only = { addresses: [address('eth0', '192.0.2.1/24'), address('eth0', 'fe80::1/64')], routes: [] };
  assert.throws(
    () => findPath(near, { ...host, ...ipv4Only }),
    refuses('invalid', /2001:db8::2 is an IPv6 address, but this host has none/),
  );
  assert.throws(() => at('192.0.2.7'), refuses('invalid', /192\.0\.2\.7 is an IPv4 address, but this host has none/));
  const small = { links: host.links.map((link) => ({ ...link, mtu: 1349 })) };
  assert.throws(() => at('2001:db8:9::2', small), refuses('conflict', /eth0 has an MTU of 1279, IPv6 needs 1280/));
});

test('each family of peers has a tunnel of its own, with the table of its peers', () => {
  const peer = (name: string, to: string): Peer => {
    const path: PeerPath = {
      ...{ kind: 'vxlan', link: 'any', gateway: to, uplink: 'eth0', shared: false },
      ...(to.includes(':') ? { local: '2001:db8::1', mtu: 1430 } : { local: '192.0.2.1', mtu: 1450 }),
    };
    return { record: { ...near, subnets: ['10.1.0.0/16'], name, address: to, created: 0n }, origin: 'request', path };
  };
  const peers = [peer('a', '198.51.100.2'), peer('b', '2001:db8:9::2')];
  assert.deepEqual(chooseTunnel('v4', peers, undefined), { local: '192.0.2.1', mtu: 1450, inUse: true, ipv6: false });
  const six = chooseTunnel('v6', peers, undefined);
  assert.deepEqual(six, { local: '2001:db8::1', mtu: 1430, inUse: true, ipv6: true });
  assert.equal(chooseTunnel('v6', peers.slice(0, 1), undefined), undefined);
  const [table, vxlan, ...others] = planTunnel(
    { local: '2001:db8::1', mtu: 1430, inUse: true, ipv6: true },
    { ipv6: true },
  );
  assert.deepEqual(
    [table?.kind === 'nft-table' && `${table.family} ${table.name}`, vxlan?.kind === 'vxlan' && vxlan.name],
    ['ip6 netyard_tunnel', 'ny-vxlan6'],
  );
  const settings = others.filter((object) => object.kind !== 'address');
  assert.ok(settings.every((object) => object.kind === 'sysctl' && object.key.includes('.ny-vxlan6.')));
  assert.deepEqual(
    others.filter((object) => object.kind === 'address'),
    [{ kind: 'address', link: 'ny-vxlan6', prefix: '127.0.78.6/32' }],
  );
});

test('events of the tunnel over IPv6 identify the peer', () => {
  const table = new PeerTable([], { awaitsCluster: false });
  const path = { link: 'ny-vxlan6', uplink: 'eth0', kind: 'vxlan' } as PeerPath;
  table.add({ record: { ...far, created: 0n }, origin: 'request', path });
  const scope = (event: Parameters<typeof scopeOf>[1]) => scopeOf(table, event, [3, 7]);
  const [mac, gateway] = [tunnelMac(far.address), ipv6Gateway(far.address)];
  assert.deepEqual(scope({ type: 'fdb', action: 'del', mac, linkIndex: 7 }), new Set(['far']));
  const neighbour = { type: 'neighbour', linkIndex: 7, address: gateway, mac, permanent: true } as const;
  assert.deepEqual(scope({ ...neighbour, action: 'del' }), new Set(['far']));
  assert.equal(scope({ ...neighbour, action: 'new' }), undefined, 'as planned');
  assert.deepEqual(scope({ ...neighbour, action: 'new', mac: '02:00:00:00:00:01' }), new Set(['far']));
  const nft = { type: 'nft', family: 'ip6', table: 'netyard_tunnel' } as const;
  assert.equal(scope({ ...nft, action: 'del', what: 'chain' }), 'all');
  const key = Uint8Array.from(Buffer.from('20010db8000900000000000000000002', 'hex'));
  const element = { ...nft, action: 'del', what: 'element', set: 'tunnel_peers', keys: [key] } as const;
  assert.deepEqual(peersOfElement(table, element), ['far']);
  assert.deepEqual(scope(element), new Set(['far']));
  const subnet = Uint8Array.from(Buffer.from('fd000002000000000000000000000000', 'hex'));
  assert.deepEqual(scope({ ...element, set: 'tunnel_subnets', keys: [subnet] }), new Set(['far']));
  table.delete('far');
  assert.equal(table.findByMac(mac), undefined);
});
