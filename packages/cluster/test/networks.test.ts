/** Networks of the cluster: keys, values, and the choice of a subnet. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isNetyardError } from '@netyard/core';
import { Directory } from '../src/directory.ts';
import type { EtcdSession } from '../src/etcd/session.ts';
import { type ClusterKey, encodeKey, parseKey } from '../src/keys.ts';
import { createNetwork } from '../src/network-changes.ts';
import {
  checkIpv6Size,
  checkNetworkSize,
  chooseIpv6Subnet,
  chooseNetworkSubnet,
  ipv6PartOf,
  partBits,
} from '../src/networks.ts';
import {
  encodeEndpoint,
  encodeNetwork,
  encodePart,
  type NetworkValue,
  parseEndpoint,
  parseNetwork,
  parsePart,
} from '../src/values.ts';

const id = 'a'.repeat(64);
const isInvalid = (code: string, pattern: RegExp) => (error: unknown) =>
  isNetyardError(error) && error.code === code && pattern.test(error.message);

test('keys of networks, parts and endpoints are parsed as they are encoded, all others are rejected', () => {
  const keys: ClusterKey[] = [
    { kind: 'config' },
    { kind: 'host', name: 'server1' },
    { kind: 'name', host: 'server1', name: 'web' },
    { kind: 'subnet', subnet: '192.168.1.0/24' },
    { kind: 'network', name: 'app_back.end' },
    { kind: 'part', networkId: id, subnet: '10.128.3.0/24' },
    { kind: 'endpoint', networkId: id, host: 'server1', containerId: 'b'.repeat(64) },
  ];
  for (const key of keys) assert.deepEqual(parseKey('c', encodeKey('c', key)), key);
  assert.equal(encodeKey('c', keys[5] as ClusterKey), `/netyard/c/parts/${id}/10.128.3.0-24`);
  const bad = ['', 'networks', 'networks/', 'networks/a/b', 'networks/a b', 'parts/x/10.0.0.0-24', `parts/${id}`];
  bad.push(`parts/${id}/10.0.0.0/24`, `endpoints/${id}/server1`, `endpoints/${id}/server1/c`, 'config/x', 'toString');
  for (const text of bad) assert.equal(parseKey('c', `/netyard/c/${text}`), undefined, text);
});

test('values of networks, parts and endpoints survive encoding; malformed ones are rejected with a description', () => {
  const network: NetworkValue = {
    ...{ id, created: 1_700_000_000_123_456_789n, subnet: '10.128.0.0/16', partSize: 24 },
    ...{ internal: false, attachable: true, options: { a: 'b' }, labels: {} },
  };
  assert.deepEqual(parseNetwork(encodeNetwork(network)), network);
  const dual = { ...network, ipv6: { subnet: 'fd00:5::/48', partSize: 64 } };
  assert.deepEqual(parseNetwork(encodeNetwork(dual)), dual);
  const endpoint = { name: 'web', address: '10.128.3.2', names: ['web', 'alias'], project: 'app' };
  assert.deepEqual(parseEndpoint(encodeEndpoint(endpoint)), endpoint);
  const dualEndpoint = { ...endpoint, ipv6Address: 'fd00:5::2' };
  assert.deepEqual(parseEndpoint(encodeEndpoint({ ...dualEndpoint, ipv6Address: 'FD00:5:0::2' })), dualEndpoint);
  assert.throws(
    () => parseEndpoint(encodeEndpoint({ ...endpoint, ipv6Address: '10.0.0.2' })),
    isInvalid('invalid', /^ipv6Address: is not an IPv6 address$/),
  );
  assert.deepEqual(Object.keys(parseEndpoint('{"name":"web","address":"10.0.0.2","names":[]}')), [
    'name',
    'address',
    'names',
  ]);
  const parse = (change: object) => () =>
    parseNetwork(JSON.stringify({ ...JSON.parse(encodeNetwork(network)), ...change }));
  assert.throws(parse({ id: 'x' }), isInvalid('invalid', /^id: is not an id/));
  assert.throws(parse({ partSize: 15 }), isInvalid('invalid', /^partSize: does not fit 10\.128\.0\.0\/16/));
  assert.throws(parse({ partSize: 30 }), isInvalid('invalid', /^partSize/));
  for (const [ipv6, problem] of [
    [{ subnet: 'fd00:5::/48', partSize: 55 }, /too small for the 256 parts/],
    [{ subnet: 'fd00:5::/48', partSize: 126 }, /too small for the 256 parts/],
    [{ subnet: 'fe80::/48', partSize: 64 }, /overlaps with fe80::\/10/],
    [{ subnet: '10.0.0.0/8', partSize: 64 }, /^ipv6\.subnet: is not an IPv6 subnet/],
    [{ subnet: 'fd00:5::/48' }, /^ipv6\.partSize/],
  ] as const)
    assert.throws(parse({ ipv6 }), isInvalid('invalid', problem));
  assert.throws(parse({ subnet: 'fd00::/64' }), isInvalid('invalid', /^subnet: is not an IPv4 subnet/));
  for (const subnet of ['0.0.0.0/0', '127.0.0.0/16', '169.254.0.0/16', '224.0.0.0/16'])
    assert.throws(parse({ subnet }), isInvalid('invalid', /overlaps with/), subnet);
  assert.throws(parse({ subnet: '8.0.0.0/7' }), isInvalid('invalid', /is too large/));
  assert.throws(() => parsePart('{"id":"x"}'), isInvalid('invalid', /^host/));
});

test('a network is a /16 of /24 parts by default; parts of a given subnet fit into it', () => {
  assert.deepEqual(checkNetworkSize({}), { partSize: 24 });
  assert.deepEqual(checkNetworkSize({ subnet: '10.9.1.7/16' }), { subnet: '10.9.0.0/16', partSize: 24 });
  assert.deepEqual(checkNetworkSize({ subnet: '10.9.0.0/20' }).partSize, 24);
  assert.deepEqual(checkNetworkSize({ subnet: '10.9.0.0/24' }).partSize, 28);
  assert.deepEqual(checkNetworkSize({ subnet: '10.9.0.0/27' }).partSize, 29);
  assert.deepEqual(checkNetworkSize({ partSize: 20 }).partSize, 20);
  for (const size of [{ partSize: 15 }, { partSize: 30 }, { subnet: '10.9.0.0/30' }, { partSize: 24.5 }])
    assert.throws(() => checkNetworkSize(size), isInvalid('invalid', /do not fit/));
  for (const subnet of ['0.0.0.0/20', '127.1.0.0/16', '224.0.0.0/16'])
    assert.throws(() => checkNetworkSize({ subnet }), isInvalid('invalid', /overlaps with/));
  assert.throws(() => checkNetworkSize({ subnet: '8.0.0.0/7' }), isInvalid('invalid', /is too large/));
  assert.throws(() => checkNetworkSize({ subnet: 'fd00::/64' }), isInvalid('invalid', /fd00::\/64 is not one of IPv4/));
});

test('an IPv6 subnet has as many parts as that of IPv4, of /64 where they fit', () => {
  const size = (subnet: string | undefined, bits: number): object =>
    checkIpv6Size(subnet === undefined ? {} : { subnet }, bits);
  assert.deepEqual(size(undefined, 8), { partSize: 64 });
  assert.deepEqual(size(undefined, 21), { partSize: 69 });
  assert.deepEqual(size('fd00:5:0::1/48', 8), { subnet: 'fd00:5::/48', partSize: 64 });
  assert.deepEqual(size('fd00:5::/56', 8), { subnet: 'fd00:5::/56', partSize: 64 });
  assert.deepEqual(size('fd00:5::/64', 8), { subnet: 'fd00:5::/64', partSize: 72 });
  assert.deepEqual(size('2001:db8::/117', 8), { subnet: '2001:db8::/117', partSize: 125 });
  assert.throws(
    () => size('2001:db8::/118', 8),
    isInvalid('invalid', /too small for the 256 parts of the IPv4 subnet/),
  );
  for (const subnet of ['fe80::/64', 'ff02::/64', '::/64', '::ffff:0:0/96'])
    assert.throws(() => size(subnet, 8), isInvalid('invalid', /overlaps with/), subnet);
  assert.throws(() => size('fd00::/8', 8), isInvalid('invalid', /is too large/));
  assert.throws(() => size('10.0.0.0/8', 8), isInvalid('invalid', /is not one of IPv6/));
  assert.equal(partBits({ subnet: '10.77.0.0/20', partSize: 26 }), 6);
  assert.equal(partBits({ partSize: 24 }), 8);
});

test('a host has the part of IPv6 with the number of its part of IPv4', () => {
  const v4 = { subnet: '10.128.0.0/16', partSize: 24 };
  const part = (subnet: string, partSize: number, own: string): string => ipv6PartOf(v4, { subnet, partSize }, own);
  assert.equal(part('fd00:5::/48', 64, '10.128.0.0/24'), 'fd00:5::/64');
  assert.equal(part('fd00:5::/48', 64, '10.128.255.0/24'), 'fd00:5:0:ff::/64');
  assert.equal(part('fd00:5::/64', 72, '10.128.255.0/24'), 'fd00:5:0:0:ff00::/72');
  assert.equal(part('fd00:5::/117', 125, '10.128.1.0/24'), 'fd00:5::8/125');
});

test('an automatic IPv6 subnet is made of the id, and avoids what is in use', () => {
  const own = `0123456789${'9876543210'.repeat(5)}abcd`;
  const none = (): boolean => false;
  assert.equal(chooseIpv6Subnet(undefined, [], none, own), 'fd01:2345:6789::/48');
  const taken = [{ subnet: 'fd01:2345:6789:ff::/64', owner: 'network a' }];
  assert.equal(chooseIpv6Subnet(undefined, taken, none, own), 'fd98:7654:3210::/48');
  assert.throws(
    () => chooseIpv6Subnet('fd01:2345:6789::/56', taken, none, own),
    isInvalid('forbidden', /^subnet fd01:2345:6789::\/56 overlaps with fd01:2345:6789:ff::\/64 of network a$/),
  );
  assert.throws(() => chooseIpv6Subnet(undefined, [], () => true, own), isInvalid('invalid', /no free IPv6 subnet/));
});

test('an automatic subnet avoids other networks, the hosts and what this host uses; a requested one is checked', () => {
  const taken = [
    { subnet: '10.128.0.0/24', owner: 'network a' },
    { subnet: '10.129.5.1/32', owner: 'host b' },
  ];
  const isTaken = (subnet: string) => subnet === '10.130.0.0/16';
  assert.equal(chooseNetworkSubnet(undefined, taken, isTaken), '10.131.0.0/16');
  assert.equal(chooseNetworkSubnet('10.128.1.0/24', taken, isTaken), '10.128.1.0/24');
  const beside = ['10.128.0.0/10', '10.192.0.0/12'].map((subnet) => ({ subnet, owner: 'x' }));
  assert.equal(
    chooseNetworkSubnet(undefined, beside, () => false),
    '10.224.0.0/16',
    'not of 10.208.0.0/12',
  );
  assert.throws(
    () => chooseNetworkSubnet('10.128.0.0/16', taken, isTaken),
    isInvalid('forbidden', /^subnet 10\.128\.0\.0\/16 overlaps with 10\.128\.0\.0\/24 of network a$/),
  );
  assert.equal(
    chooseNetworkSubnet(undefined, [{ subnet: '10.128.0.0/9', owner: 'x' }], () => false),
    '10.0.0.0/16',
  );
  assert.throws(
    () => chooseNetworkSubnet(undefined, [], () => true),
    isInvalid('invalid', /no \/16 of 10\.0\.0\.0\/8/),
  );
});

test('a part of this host that is no part of the network is ignored, and counts as taken', () => {
  const network: NetworkValue = {
    ...{ id, created: 0n, subnet: '10.128.0.0/16', partSize: 24, internal: false, attachable: true },
    ...{ options: {}, labels: {} },
  };
  const entry = (key: ClusterKey, value: string) => ({
    ...{ key: encodeKey('c', key), value, lease: 0n, modRevision: 1n },
  });
  const part = (subnet: string) => entry({ kind: 'part', networkId: id, subnet }, encodePart({ id: 'me', host: 'a' }));
  const back = entry({ kind: 'network', name: 'back' }, encodeNetwork(network));
  const directory = new Directory({ cluster: 'c', self: 'a', id: 'me' });
  const bad = ['0.0.0.0/0', '10.129.7.0/24', '10.128.0.0/16', '10.128.7.9/24', '999.1.1.1/24', '10.128.7.0/99'];
  directory.replace([back, ...bad.map(part)]);
  assert.equal(directory.networks()[0]?.part, undefined);
  const [claimable] = directory.claimable();
  assert.equal(claimable?.part, undefined);
  assert.deepEqual([...(claimable?.taken ?? [])].toSorted(), bad.toSorted());
  assert.deepEqual(
    directory.problems().map(({ key }) => key.split('/').at(-1)),
    ['999.1.1.1-24', '10.128.7.0-99'],
  );
  directory.replace([back, ...bad.map(part), part('10.128.7.0/24')]);
  assert.equal(directory.networks()[0]?.part, '10.128.7.0/24');
});

test('an IPv6 subnet avoids the addresses of hosts, but not all with the same beginning', async () => {
  const kv = { range: async () => ({ kvs: [], more: false }), txn: async () => ({ succeeded: true }) };
  const surroundings = () => ({
    pool: { subnet: '192.168.0.0/16', subnetSize: 24 },
    hosts: [{ name: 'a', address: '2001:db8::a', subnets: ['192.168.1.0/24'] }],
  });
  const create = (subnet: string) =>
    createNetwork(
      { kv } as unknown as EtcdSession,
      'c',
      {
        ...{ id, name: 'back', created: 0n, internal: false, attachable: true, options: {}, labels: {} },
        ...{ ipv6: { subnet }, isTaken: () => false },
      },
      surroundings,
    );
  assert.deepEqual((await create('2001:db8:7::/48')).ipv6, { subnet: '2001:db8:7::/48', partSize: 64 });
  await assert.rejects(
    create('2001:db8::/48'),
    isInvalid('forbidden', /^subnet 2001:db8::\/48 overlaps with 2001:db8::a\/128 of host a$/),
  );
});

test('a network that hosts would refuse to read is rejected before it is written', async () => {
  const unused = {} as EtcdSession;
  const request = {
    ...{ id, name: 'back', created: 0n, internal: false, attachable: true, options: {}, isTaken: () => false },
    labels: { note: 'x'.repeat(8193) },
  };
  await assert.rejects(
    createNetwork(unused, 'c', request, () => assert.fail('not asked')),
    isInvalid('invalid', /^labels\.note: /),
  );
});
