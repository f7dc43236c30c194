import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isNetyardError } from '@netyard/core';
import { type KernelEvent, type ObservedLink, type ObservedRoute, routeFamily } from '@netyard/kernel';
import type { PeerPath, PeerRequest, PeerVia } from './contract.ts';
import { changesHost, peersOfElement, scopeOf } from './events.ts';
import { checkPlacement, type HostView } from './host-view.ts';
import { chooseTunnel } from './operations/tunnel.ts';
import { type CheckedPeer, checkPeerRequest, parsePeerText } from './parse.ts';
import { findPath } from './path.ts';
import { peerProtocol, planPeer } from './plan.ts';
import { type Peer, PeerTable } from './table.ts';
import { tunnelMac } from './tunnel.ts';

const refuses = (code: string, message: RegExp) => (error: unknown) => {
  assert.ok(isNetyardError(error), String(error));
  assert.match(error.message, message);
  assert.equal(error.code, code);
  return true;
};

const server2: CheckedPeer = {
  name: 'server2',
  address: '172.16.2.102',
  subnets: ['192.168.12.0/24'],
  via: 'auto',
};

test('a peer request is validated and put into canonical form', () => {
  const { via: _via, ...least } = server2;
  assert.deepEqual(checkPeerRequest(least), server2);
  const cases: [Partial<PeerRequest>, RegExp][] = [
    [{ name: '' }, /invalid peer name \(\)/],
    [{ name: '-x' }, /invalid peer name/],
    [{ name: 'a b' }, /invalid peer name/],
    [{ name: 'x'.repeat(64) }, /invalid peer name/],
    [{ address: '172.16.2' }, /invalid IP address: 172\.16\.2/],
    [{ address: '172.16.2.102/16' }, /invalid IP address/],
    [{ address: '0.0.0.0' }, /cannot be the address of a peer/],
    [{ address: '127.0.0.1' }, /cannot be the address of a peer/],
    [{ address: '255.255.255.255' }, /cannot be the address of a peer/],
    [{ subnets: [] }, /has no subnet/],
    [{ subnets: ['192.168.12.0'] }, /invalid CIDR address: 192\.168\.12\.0/],
    [{ subnets: ['192.168.12.1/24'] }, /has host bits set/],
    [{ subnets: ['0.0.0.0/0'] }, /0\.0\.0\.0\/0 is too large for a peer's subnet/],
    [{ subnets: ['128.0.0.0/1'] }, /is too large for a peer's subnet/],
    [{ subnets: ['127.0.0.0/8'] }, /overlaps with 127\.0\.0\.0\/8/],
    [{ subnets: ['239.1.0.0/16'] }, /overlaps with 224\.0\.0\.0\/3/],
    [{ subnets: ['fd00::/64'], via: 'route' }, /fd00::\/64 cannot be reached by a route via the IPv4 address/],
    [{ subnets: ['fe80::/64'] }, /overlaps with fe80::\/10/],
    [{ subnets: ['fd00::1/64'] }, /has host bits set/],
    [{ subnets: ['fc00::/7'] }, /is too large for a peer's subnet/],
    [{ subnets: ['172.16.2.0/24'] }, /contains the peer's own address 172\.16\.2\.102/],
    [{ subnets: ['10.1.0.0/16', '10.1.2.0/24'] }, /subnet 10\.1\.2\.0\/24 overlaps with subnet 10\.1\.0\.0\/16/],
    [{ via: 'pigeon' as PeerVia }, /invalid value of via: pigeon/],
  ];
  for (const [part, message] of cases)
    assert.throws(() => checkPeerRequest({ ...server2, ...part }), refuses('invalid', message), JSON.stringify(part));
});

test('the one-line form of a peer is parsed', () => {
  assert.deepEqual(parsePeerText('server2=172.16.2.102,192.168.12.0/24'), server2);
  assert.deepEqual(parsePeerText('s=10.0.0.1,10.1.0.0/16,via=route,10.2.0.0/16'), {
    name: 's',
    address: '10.0.0.1',
    subnets: ['10.1.0.0/16', '10.2.0.0/16'],
    via: 'route',
  });
  for (const text of ['', 'server2', '=172.16.2.102,10.0.0.0/8'])
    assert.throws(() => parsePeerText(text), refuses('invalid', /invalid peer/));
  assert.throws(() => parsePeerText('a=10.0.0.1'), refuses('invalid', /has no subnet/));
});

const link = (name: string, up = true) => ({ name, index: 1, mtu: 1500, up, running: up }) as ObservedLink;
const route = (text: Omit<ObservedRoute, 'family'>): ObservedRoute => ({ family: routeFamily(text), ...text });
const host: HostView = {
  links: [link('lo'), link('ens33'), link('ens34', false), link('docker0')],
  addresses: [
    { link: 'lo', linkIndex: 1, prefix: '127.0.0.1/8', scope: 254 },
    { link: 'ens33', linkIndex: 2, prefix: '172.16.2.101/16', scope: 0 },
    { link: 'ens33', linkIndex: 2, prefix: 'fe80::1/64', scope: 253 },
    { link: 'ens34', linkIndex: 3, prefix: '10.7.0.1/24', scope: 0 },
    { link: 'docker0', linkIndex: 4, prefix: '192.168.11.1/24', scope: 0 },
  ],
  routes: [
    route({ to: 'default', via: '172.16.0.1', link: 'ens33', table: 254, protocol: 3 }),
    route({ to: '172.16.0.0/16', link: 'ens33', table: 254, protocol: 2 }),
    route({ to: '192.168.11.0/24', link: 'docker0', table: 254, protocol: 2 }),
    route({ to: '10.50.0.0/16', via: '172.16.0.9', link: 'ens33', table: 254, protocol: 3 }),
    route({ to: '10.60.0.0/16', via: '172.16.0.9', link: 'ens33', table: 100, protocol: 3 }),
    route({ to: '10.61.0.0/16', via: '172.16.2.102', link: 'ens33', table: 254, protocol: peerProtocol }),
    route({ to: 'fe80::/64', link: 'ens33', table: 254, protocol: 2 }),
  ],
  bridges: [
    {
      ...{ networkId: 'n', networkName: 'bridge', link: 'docker0', subnet: '192.168.11.0/24', prefixLength: 24 },
      ...{ gateway: '192.168.11.1', broadcast: '192.168.11.255', icc: true, masquerade: true, mtu: 1500 },
      ...{ hostBinding: '0.0.0.0', ipv6: false },
    },
  ],
};

const targets = { kind: 'nft-element', family: 'ip', table: 'netyard', comment: 'peer server2' } as const;
/** Subnets with a /24 prefix have sets of their own, keyed by interface and address without prefix length. */
const inSet = (set: string, link: string, subnet: string) =>
  subnet.endsWith('.0')
    ? { ...targets, set: `${set}_24`, key: `"${link}" . ${subnet}` }
    : { ...targets, set, key: `${subnet} . "${link}"` };
/** The sets of counters are keyed by the address alone. */
const counted = (subnet: string) => [
  { ...targets, set: 'peer_packets_in_24', key: subnet },
  { ...targets, set: 'peer_packets_out_24', key: subnet },
];
const inside = (link: string, subnet: string) => inSet('peer_ingress', link, subnet);
const outside = (link: string, subnet: string) => inSet('peer_egress', link, subnet);

test('an on-link peer is reached by a route, and is planned as routes and elements', () => {
  const path = findPath(server2, host);
  assert.deepEqual(path, {
    ...{ kind: 'route', link: 'ens33', gateway: '172.16.2.102', source: '192.168.11.1' },
    ...{ uplink: 'ens33', local: '172.16.2.101', shared: true, mtu: 1500 },
  });
  const way = { via: '172.16.2.102', link: 'ens33', source: '192.168.11.1', protocol: peerProtocol };
  assert.deepEqual(
    planPeer({ ...server2, subnets: ['192.168.12.0/24', '10.8.0.0/25', '10.9.9.9/32'], via: 'route' }, path),
    [
      inside('ens33', '192.168.12.0'),
      outside('ens33', '192.168.12.0'),
      ...counted('192.168.12.0'),
      inside('ens33', '10.8.0.0/25'),
      outside('ens33', '10.8.0.0/25'),
      inside('ens33', '10.9.9.9'),
      outside('ens33', '10.9.9.9'),
      { kind: 'route', to: '192.168.12.0/24', ...way },
      { kind: 'route', to: '10.8.0.0/25', ...way },
      { kind: 'route', to: '10.9.9.9/32', ...way },
    ],
  );
  assert.deepEqual(
    planPeer(server2, path),
    [
      { ...targets, set: 'tunnel_peers', key: '172.16.2.102' },
      inside('ens33', '192.168.12.0'),
      inside('ny-vxlan', '192.168.12.0'),
      outside('ens33', '192.168.12.0'),
      ...counted('192.168.12.0'),
      { kind: 'route', to: '192.168.12.0/24', ...way },
    ],
    'with via auto, the peer may also send through the tunnel',
  );
});

test('a peer behind a router is reached through the tunnel', () => {
  const far = { ...server2, address: '10.9.1.2' };
  const path = findPath(far, host);
  assert.deepEqual(path, {
    ...{ kind: 'vxlan', link: 'ny-vxlan', gateway: '10.9.1.2', source: '192.168.11.1' },
    ...{ uplink: 'ens33', local: '172.16.2.101', shared: false, mtu: 1450 },
  });
  const mac = '02:6e:0a:09:01:02';
  assert.equal(tunnelMac('10.9.1.2'), mac);
  assert.deepEqual(planPeer(far, path), [
    { ...targets, set: 'tunnel_peers', key: '10.9.1.2' },
    inside('ny-vxlan', '192.168.12.0'),
    outside('ny-vxlan', '192.168.12.0'),
    ...counted('192.168.12.0'),
    { kind: 'fdb', link: 'ny-vxlan', mac, remote: '10.9.1.2' },
    { kind: 'neighbour', link: 'ny-vxlan', address: '10.9.1.2', mac },
    {
      ...{ kind: 'route', to: '192.168.12.0/24', via: '10.9.1.2', link: 'ny-vxlan', onlink: true },
      ...{ source: '192.168.11.1', protocol: peerProtocol },
    },
  ]);
});

test('a path prefers shared links to routes, long prefixes to short ones, and never uses a link that is down', () => {
  const at = (address: string, part: Partial<HostView> = {}, via: PeerVia = 'auto') => {
    const { kind, uplink, local, mtu } = findPath({ ...server2, address, via }, { ...host, ...part });
    return `${kind} ${uplink} ${local} ${mtu}`;
  };
  const up = ['lo', 'ens33', 'ens34'].map((name) => link(name));
  const second = route({ to: '10.9.0.0/16', via: '10.7.0.254', link: 'ens34', table: 254, protocol: 3 });
  const routes = [...host.routes, second];
  assert.equal(at('172.16.2.102', {}, 'vxlan'), 'vxlan ens33 172.16.2.101 1450', 'forced');
  assert.equal(at('10.9.1.2', { links: up, routes }), 'vxlan ens34 10.7.0.1 1450');
  assert.equal(at('10.9.1.2', { routes }), 'vxlan ens33 172.16.2.101 1450', 'ens34 is down');
  assert.equal(at('10.7.0.9'), 'vxlan ens33 172.16.2.101 1450', 'its link is down, another route leads there');
  const cheap = route({ to: 'default', via: '10.7.0.254', link: 'ens34', metric: 5, table: 254, protocol: 3 });
  const dear = route({ to: 'default', via: '172.16.0.1', link: 'ens33', metric: 100, table: 254, protocol: 3 });
  assert.equal(at('9.9.9.9', { links: up, routes: [dear, cheap] }), 'vxlan ens34 10.7.0.1 1450');
  const jumbo = [{ ...link('ens33'), mtu: 9000 }];
  assert.equal(at('9.9.9.9', { links: jumbo }), 'vxlan ens33 172.16.2.101 8950');
  const withSource = { ...dear, source: '172.16.2.77' };
  assert.equal(at('9.9.9.9', { routes: [withSource] }), 'vxlan ens33 172.16.2.77 1450');
  const own = route({ to: '9.0.0.0/8', link: 'docker0', table: 254, protocol: 3 });
  assert.equal(at('9.9.9.9', { routes: [own, dear] }), 'vxlan ens33 172.16.2.101 1450', 'never over a Netyard bridge');
});

test('the tunnel has the local address that most peers use, and the smallest MTU of all paths', () => {
  const peer = (number: number, path: Partial<PeerPath>, via: PeerVia = 'auto'): Peer => {
    const record = { ...server2, name: `p${number}`, via, created: 0n };
    const way: PeerPath = {
      ...{ kind: 'vxlan', link: 'ny-vxlan', gateway: '9.9.9.9', uplink: 'ens33', local: '172.16.2.101' },
      ...{ shared: false, mtu: 1450, ...path },
    };
    return { record, origin: 'request', path: way };
  };
  const direct = { kind: 'route', mtu: 1500 } as const;
  assert.equal(chooseTunnel('v4', [peer(1, direct, 'route')], undefined), undefined);
  assert.deepEqual(chooseTunnel('v4', [peer(1, direct)], undefined), {
    local: '172.16.2.101',
    mtu: 1450,
    inUse: false,
    ipv6: false,
  });
  const two = [peer(1, { ...direct, mtu: 1000 }), peer(2, {}), peer(3, { mtu: 1390 })];
  assert.deepEqual(chooseTunnel('v4', two, undefined), { local: '172.16.2.101', mtu: 1390, inUse: true, ipv6: false });
  const split = [peer(1, { local: '10.7.0.1' }), peer(2, {})];
  assert.equal(chooseTunnel('v4', split, undefined)?.local, '10.7.0.1');
  assert.equal(
    chooseTunnel('v4', split, { local: '172.16.2.101', mtu: 1450, inUse: true, ipv6: false })?.local,
    '172.16.2.101',
    'stays',
  );
  const more = [...split, peer(3, { local: '10.7.0.1' })];
  assert.equal(
    chooseTunnel('v4', more, { local: '172.16.2.101', mtu: 1450, inUse: true, ipv6: false })?.local,
    '10.7.0.1',
  );
});

test('a peer with IPv6 subnets is reached through the tunnel, which needs their minimum MTU', () => {
  const dual = { ...server2, subnets: ['192.168.12.0/24', 'fd00:2::/64'] };
  const own = { networkName: 'bridge', link: 'docker0', subnet: 'fd00:1::/64', gateway: 'fd00:1::1' };
  const withIpv6 = { ...host, bridges: [...host.bridges, own] };
  assert.throws(() => checkPlacement(dual, host, 'new'), refuses('conflict', /no network of this host has IPv6/));
  checkPlacement(dual, withIpv6, 'new');
  assert.throws(
    () => checkPlacement({ ...dual, subnets: ['fd00:1::/48'] }, withIpv6, 'new'),
    refuses('conflict', /overlaps with our own network bridge \(fd00:1::\/64\)/),
  );
  const foreign = route({ to: 'fd00:2::/48', link: 'ens33', table: 254, protocol: 3 });
  assert.throws(
    () => checkPlacement(dual, { ...withIpv6, routes: [foreign] }, 'new'),
    refuses('conflict', /fd00:2::\/64 overlaps with the host's route fd00:2::\/48 dev ens33/),
  );
  const path = findPath(dual, withIpv6);
  assert.deepEqual([path.kind, path.source, path.ipv6Source], ['vxlan', '192.168.11.1', 'fd00:1::1']);
  const small = { ...withIpv6, links: [{ ...link('ens33'), mtu: 1329 }] };
  assert.throws(() => findPath(dual, small), refuses('conflict', /ens33 has an MTU of 1279, IPv6 needs 1280/));
  const planned = planPeer(dual, path).filter((object) => JSON.stringify(object).includes('fd00:2'));
  assert.deepEqual(
    planned.map((object) => (object.kind === 'nft-element' ? `${object.family} ${object.set} ${object.key}` : object)),
    [
      'ip6 peer_ingress_64 "ny-vxlan" . fd00:2::',
      'ip6 peer_egress_64 "ny-vxlan" . fd00:2::',
      'ip6 peer_packets_in_64 fd00:2::',
      'ip6 peer_packets_out_64 fd00:2::',
      {
        ...{ kind: 'route', to: 'fd00:2::/64', via: 'fe80::ac10:266', link: 'ny-vxlan', source: 'fd00:1::1' },
        protocol: peerProtocol,
      },
    ],
  );
});

test('unreachable addresses and addresses of this host are rejected', () => {
  const at = (address: string, via: PeerVia = 'route') => {
    const peer = { ...server2, address, via };
    checkPlacement(peer, host, 'new');
    return findPath(peer, host);
  };
  assert.throws(() => at('172.16.2.101'), refuses('invalid', /is an address of this host/));
  assert.throws(() => at('192.168.11.1'), refuses('invalid', /is an address of this host/));
  assert.throws(() => at('192.168.11.7'), refuses('invalid', /is in our own network bridge/));
  assert.throws(() => at('172.16.255.255'), refuses('invalid', /is not a host address in 172\.16\.0\.0\/16/));
  assert.throws(() => at('172.16.0.0'), refuses('invalid', /is not a host address/));
  assert.throws(() => at('9.9.9.9'), refuses('invalid', /9\.9\.9\.9 is on no link of this host/));
  const lost = { ...host, routes: [] };
  assert.throws(() => findPath({ ...server2, address: '9.9.9.9' }, lost), refuses('invalid', /no route leads to it/));
  assert.throws(() => findPath({ ...server2, address: '10.7.0.9' }, lost), refuses('conflict', /ens34.*is down/));
  assert.throws(() => at('10.7.0.9'), refuses('conflict', /link ens34, which 10\.7\.0\.9 is on, is down/));
});

test('subnets that overlap with routes or networks of the host are rejected', () => {
  const check = (subnet: string, when: 'new' | 'known' = 'new') =>
    checkPlacement({ ...server2, subnets: [subnet] }, host, when);
  check('192.168.12.0/24');
  check('10.60.0.0/16');
  check('10.61.0.0/16');
  assert.throws(() => check('192.168.0.0/16'), refuses('conflict', /our own network bridge \(192\.168\.11\.0\/24\)/));
  assert.throws(() => check('172.16.0.0/16'), refuses('conflict', /the host's route 172\.16\.0\.0\/16 dev ens33/));
  assert.throws(() => check('10.50.3.0/24'), refuses('conflict', /route 10\.50\.0\.0\/16 via 172\.16\.0\.9 dev ens33/));
  check('10.50.3.0/24', 'known');
  assert.throws(() => check('10.50.0.0/16', 'known'), refuses('conflict', /the host's route/));
});

test('peers with the same name or address, or with overlapping subnets, conflict', () => {
  const table = new PeerTable([], { awaitsCluster: false });
  const peer = { record: { ...server2, created: 0n }, origin: 'request' } as const;
  table.add(peer);
  const check = (part: Partial<PeerRequest>) => table.check({ ...server2, name: 'b', address: '172.16.2.9', ...part });
  check({ subnets: ['192.168.13.0/24'] });
  assert.throws(() => check({ name: 'server2' }), refuses('conflict', /peer server2 exists already/));
  assert.throws(
    () => check({ address: '172.16.2.102', subnets: [] }),
    refuses('conflict', /172\.16\.2\.102 is the address of peer server2 already/),
  );
  assert.throws(
    () => check({ subnets: ['192.168.12.128/25'] }),
    refuses('conflict', /192\.168\.12\.128\/25 overlaps with 192\.168\.12\.0\/24 of peer server2/),
  );
  assert.equal(table.findBySubnet('192.168.12.77'), peer);
  assert.equal(table.findBySubnet('192.168.13.0'), undefined);
  assert.equal(table.findByAddress('172.16.2.102'), peer);
  table.delete('server2');
  check({ name: 'server2', address: '172.16.2.102', subnets: ['192.168.12.128/25'] });
  assert.equal(table.findBySubnet('192.168.12.77'), undefined);
});

test("the kernel's event of an element identifies the peer, in each order of interface and address", () => {
  const table = new PeerTable([], { awaitsCluster: false });
  for (const [name, last, length] of [
    ['whole', 12, 24],
    ['half', 13, 25],
  ] as const) {
    const subnets = [`192.168.${last}.0/${length}`];
    table.add({ record: { ...server2, name, address: `172.16.2.${last}`, subnets, created: 0n }, origin: 'request' });
  }
  const link = Buffer.alloc(16, 0);
  link.write('ny-vxlan');
  const of = (set: string, ...parts: Uint8Array[]): string[] =>
    peersOfElement(table, {
      type: 'nft',
      action: 'del',
      what: 'element',
      table: 'netyard',
      set,
      keys: [Buffer.concat(parts)],
    });
  const [whole, half] = [Uint8Array.of(192, 168, 12, 0), Uint8Array.of(192, 168, 13, 0)];
  for (const set of ['peer_ingress_24', 'peer_egress_24']) assert.deepEqual(of(set, link, whole), ['whole'], set);
  for (const set of ['peer_ingress', 'peer_egress']) assert.deepEqual(of(set, half, link), ['half'], set);
  assert.deepEqual(of('peer_packets_in_24', whole), ['whole']);
  const six = Uint8Array.of(0xfd, 0, 0, 2, ...new Uint8Array(12));
  table.add({
    record: { ...server2, name: 'six', address: '172.16.2.6', subnets: ['fd00:2::/64'], created: 0n },
    origin: 'request',
  });
  for (const set of ['peer_ingress_64', 'peer_egress_64']) assert.deepEqual(of(set, link, six), ['six'], set);
  for (const set of ['peer_ingress', 'peer_egress']) assert.deepEqual(of(set, six, link), ['six'], set);
  assert.deepEqual(of('peer_packets_in_64', six), ['six']);
  assert.deepEqual(of('tunnel_peers', Uint8Array.of(172, 16, 2, 13)), ['half']);
  assert.deepEqual(
    of(
      'peer_ingress',
      whole.map((byte) => byte + 1),
      link,
    ),
    [],
  );
});

test('an event of the kernel affects the peers whose path or objects it concerns', () => {
  const table = new PeerTable([], { awaitsCluster: false });
  const route = (to: string, protocol: number, action: 'new' | 'del' = 'del') =>
    ({ type: 'route', action, to, table: 254, protocol }) as const;
  assert.equal(scopeOf(table, { type: 'resync' }, [3]), undefined, 'there is no peer');
  const path = { link: 'ny-vxlan', uplink: 'eth0', kind: 'vxlan' } as PeerPath;
  table.add({ record: { ...server2, created: 0n }, origin: 'request', path });
  const scope = (event: KernelEvent) => scopeOf(table, event, [3]);
  assert.equal(scope({ type: 'resync' }), 'all');
  assert.equal(scope({ type: 'address', action: 'new', prefix: '10.1.0.1/16', linkIndex: 2 }), 'all');
  assert.equal(scope({ type: 'link', action: 'new', name: 'eth0', index: 2 }), 'all');
  assert.equal(scope({ type: 'link', action: 'new', name: 'eth1', index: 4 }), 'paths');
  assert.equal(scope(route('10.60.0.0/16', 4, 'new')), 'paths');
  assert.equal(scope({ ...route('10.60.0.0/16', 4), table: 255 }), undefined);
  assert.equal(scope(route('192.168.12.0/24', peerProtocol, 'new')), undefined, 'created on purpose');
  assert.deepEqual(scope(route('192.168.12.0/24', peerProtocol)), new Set(['server2']));
  assert.equal(scope(route('192.168.13.0/24', peerProtocol)), undefined);
  const mac = tunnelMac(server2.address);
  const entry = { type: 'fdb', action: 'del', mac, remote: server2.address } as const;
  assert.deepEqual(scope({ ...entry, linkIndex: 3 }), new Set(['server2']));
  assert.equal(scope({ ...entry, linkIndex: 4 }), undefined, 'the interface of another program');
  const element = { type: 'nft', what: 'element', table: 'netyard', set: 'peer_packets_in_24' } as const;
  const keys = [Uint8Array.of(192, 168, 12, 0)];
  assert.deepEqual(scope({ ...element, action: 'del', keys }), new Set(['server2']));
  assert.equal(scope({ ...element, action: 'new', keys }), undefined);
  assert.equal(scope({ ...element, action: 'del', keys, table: 'other' }), undefined);
  assert.equal(changesHost(route('10.60.0.0/16', 4)), true);
  assert.equal(changesHost(route('192.168.12.0/24', peerProtocol)), false);
});
