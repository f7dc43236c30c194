/** Counts of interfaces by network, and the most endpoints of a bridge. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EndpointState, NetworkRecord } from './contract.ts';
import { allocateEndpoint, type EndpointDependencies, freeEndpoint } from './endpoints/allocate.ts';
import { HostLinks } from './host-links.ts';
import { NetworkPools } from './ipam/network-pools.ts';

test('links are counted by network, each once, and copies are independent', () => {
  const links = new HostLinks();
  const link = (hostLink: string, networkId = 'n') => ({ hostLink, networkId });
  links.add(link('a'), 'one');
  links.add(link('a'), 'one');
  links.add(link('b'), 'two');
  links.add(link('c', 'other'), 'two');
  links.add(link(''), 'three');
  assert.deepEqual([links.count('n'), links.count('other'), links.count('none')], [2, 1, 0]);
  assert.equal(links.ownerOf('b'), 'two');
  const copy = links.copy();
  copy.delete(link('b'));
  copy.delete(link('b'));
  copy.delete(link(''));
  assert.deepEqual([copy.count('n'), links.count('n'), copy.ownerOf('b')], [1, 2, undefined]);
});

test('links are counted by segment, and segments without links are forgotten', () => {
  const links = new HostLinks();
  const link = (hostLink: string, segment?: number) => ({
    ...{ hostLink, networkId: 'n' },
    ...(segment === undefined ? {} : { segment }),
  });
  links.add(link('a'), 'one');
  links.add(link('b', 2), 'two');
  links.add(link('c', 1), 'three');
  links.add(link('d', 2), 'four');
  assert.deepEqual(
    [0, 1, 2, 3].map((segment) => links.countOn('n', segment)),
    [1, 1, 2, 0],
  );
  assert.deepEqual([links.count('n'), links.segmentsOf('n')], [4, [1, 2]]);
  const copy = links.copy();
  copy.delete(link('c', 1));
  assert.deepEqual([copy.segmentsOf('n'), links.segmentsOf('n')], [[2], [1, 2]]);
});

interface Host {
  options?: Record<string, string>;
  portsPerBridge?: number;
  bridgeNetfilter6?: boolean;
}

/** A network, and what allocates its endpoints. */
function openNetwork({ options = {}, portsPerBridge, bridgeNetfilter6 = false }: Host) {
  const ipam = { driver: 'default', v4: [{ subnet: '10.9.0.0/16', gateway: '10.9.0.1' }] };
  const record: NetworkRecord = {
    ...{ id: 'n', name: 'large', driver: 'bridge', created: 0n, ipam, internal: false, attachable: false },
    ...{ options, labels: {}, predefined: false },
  };
  const pools = new NetworkPools(ipam);
  const dependencies = {
    ...{ hostLinks: new HostLinks(), networks: new Map([['n', record]]), pools: new Map([['n', pools]]) },
    settings: portsPerBridge === undefined ? {} : { portsPerBridge },
    facts: { bridgeNetfilter: false, bridgeNetfilter6 },
  } as unknown as EndpointDependencies;
  const allocate = (index: number): EndpointState =>
    allocateEndpoint(dependencies, {
      ...{ ownerId: `owner${index}`, config: { network: 'n' }, link: 'eth0', names: [] },
    });
  return { pools, allocate, free: (endpoint: EndpointState) => freeEndpoint(dependencies, 'owner', endpoint) };
}

const withoutSegments: Record<string, Host> = {
  'icc=false': { options: { 'com.docker.network.bridge.enable_icc': 'false' } },
  br_netfilter: { bridgeNetfilter6: true },
  '--ports-per-bridge=0': { portsPerBridge: 0 },
};
for (const [reason, host] of Object.entries(withoutSegments))
  test(`a network on one bridge (${reason}) accepts 1023 endpoints, and keeps its addresses`, () => {
    const { pools, allocate, free } = openNetwork(host);
    const endpoints = Array.from({ length: 1023 }, (_, index) => allocate(index));
    assert.ok(endpoints.every(({ segment }) => segment === undefined));
    assert.throws(() => allocate(1023), { code: 'failed', message: 'network large is full: it has 1023 endpoints' });
    assert.equal(pools.holder('10.9.4.1'), undefined);
    const [first] = endpoints;
    assert.ok(first);
    free(first);
    assert.equal(allocate(1023).addresses.v4?.address, '10.9.4.1');
  });

test('endpoints are put on the first segment with room, 128 on each', () => {
  const { allocate, free } = openNetwork({});
  const endpoints = Array.from({ length: 1500 }, (_, index) => allocate(index));
  const segments = endpoints.map(({ segment = 0 }) => segment);
  assert.deepEqual(
    segments,
    Array.from({ length: 1500 }, (_, index) => Math.floor(index / 128)),
  );
  for (const index of [300, 200]) free(endpoints[index] as EndpointState);
  assert.deepEqual([allocate(1500).segment, allocate(1501).segment, allocate(1502).segment], [1, 2, 11]);
});
