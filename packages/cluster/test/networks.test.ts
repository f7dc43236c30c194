/** Networks of the cluster: keys, values, and the choice of a subnet. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isNetyardError } from '@netyard/core';
import { Directory } from '../src/directory.ts';
import type { EtcdSession } from '../src/etcd/session.ts';
import { type ClusterKey, encodeKey, parseKey } from '../src/keys.ts';
import { createNetwork } from '../src/network-changes.ts';
import { checkNetworkSize, chooseNetworkSubnet } from '../src/networks.ts';
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
  const endpoint = { name: 'web', address: '10.128.3.2', names: ['web', 'alias'], project: 'app' };
  assert.deepEqual(parseEndpoint(encodeEndpoint(endpoint)), endpoint);
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
  assert.throws(() => checkNetworkSize({ subnet: 'fd00::/64' }), isInvalid('not-implemented', /IPv6/));
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
