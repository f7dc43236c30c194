import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EndpointConfig, FormerEndpoint } from '../contract.ts';
import { chooseInterfaceNames, isInterfaceName, orderEndpoints } from './interface-names.ts';

const endpoint = (network: string, gatewayPriority?: number): EndpointConfig => ({
  network,
  ...(gatewayPriority === undefined ? {} : { gatewayPriority }),
});
const former = (network: string, link: string): FormerEndpoint => ({ network, link, addresses: {} });
const named = (network: string, link: string): EndpointConfig => ({
  network,
  driverOptions: { 'com.docker.network.endpoint.ifname': link },
});
const choose = (
  requests: { endpoint: EndpointConfig; prefix?: string; former?: string }[],
  taken: string[] = [],
): string[] =>
  chooseInterfaceNames(
    requests.map(({ endpoint, prefix, former: link }) => ({
      endpoint,
      networkOptions: prefix === undefined ? {} : { 'com.docker.network.container_iface_prefix': prefix },
      former: link === undefined ? undefined : former(endpoint.network, link),
    })),
    taken,
  );

test('new endpoints are ordered by gateway priority and network name, others as in the last run', () => {
  const names = (endpoints: EndpointConfig[], last?: FormerEndpoint[]): string[] =>
    orderEndpoints(endpoints, last).map(({ network }) => network);
  assert.deepEqual(names([endpoint('b'), endpoint('c', 5), endpoint('a'), endpoint('d', -1)]), ['c', 'a', 'b', 'd']);
  const last = [former('b', 'eth0'), former('gone', 'eth1'), former('d', 'eth2')];
  assert.deepEqual(names([endpoint('a', 9), endpoint('d'), endpoint('b')], last), ['b', 'd', 'a']);
});

test('interfaces get the lowest free number of the prefix of their network', () => {
  const [a, b, c] = [
    { endpoint: endpoint('a') },
    { endpoint: endpoint('b'), prefix: 'net' },
    { endpoint: endpoint('c') },
  ];
  assert.deepEqual(choose([a, b, c]), ['eth0', 'net0', 'eth1']);
  assert.deepEqual(choose([a], ['eth0', 'eth2']), ['eth1'], 'a gap is used');
});

test('a requested name, and then the name of the last run, take precedence', () => {
  assert.deepEqual(choose([{ endpoint: endpoint('a') }, { endpoint: named('b', 'eth0') }]), ['eth1', 'eth0']);
  assert.deepEqual(choose([{ endpoint: endpoint('a') }, { endpoint: endpoint('b'), former: 'eth0' }]), [
    'eth1',
    'eth0',
  ]);
  assert.deepEqual(choose([{ endpoint: named('a', 'eth1') }, { endpoint: endpoint('b'), former: 'eth1' }]), [
    'eth1',
    'eth0',
  ]);
  assert.deepEqual(
    choose([{ endpoint: endpoint('a'), former: 'eth0', prefix: 'net' }]),
    ['net0'],
    'another prefix by now',
  );
  assert.deepEqual(choose([{ endpoint: named('a', 'eth0') }], ['eth0']), ['eth0'], 'the caller rejects a clash');
});

test('interface names are those that the kernel accepts', () => {
  for (const name of ['eth0', 'a', 'wan.5', 'a'.repeat(15)]) assert.ok(isInterfaceName(name), name);
  for (const name of ['', 'lo', '.', '..', 'a b', 'a/b', 'a:b', 'a%d', 'a'.repeat(16)])
    assert.ok(!isInterfaceName(name), name);
});
