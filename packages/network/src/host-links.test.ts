/** Counts of interfaces by network, and the most endpoints of a bridge. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NetworkRecord } from './contract.ts';
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

test('a bridge network with 1023 endpoints accepts no other, and keeps its addresses', () => {
  const ipam = { driver: 'default', v4: [{ subnet: '10.9.0.0/16', gateway: '10.9.0.1' }] };
  const record: NetworkRecord = {
    ...{ id: 'n', name: 'large', driver: 'bridge', created: 0n, ipam, internal: false, attachable: false },
    ...{ options: {}, labels: {}, predefined: false },
  };
  const pools = new NetworkPools(ipam);
  const hostLinks = new HostLinks();
  const dependencies = {
    ...{ hostLinks, networks: new Map([['n', record]]), pools: new Map([['n', pools]]) },
  } as unknown as EndpointDependencies;
  const allocate = (index: number) =>
    allocateEndpoint(dependencies, {
      ...{ ownerId: `owner${index}`, config: { network: 'n' }, link: 'eth0', names: [] },
    });
  const endpoints = Array.from({ length: 1023 }, (_, index) => allocate(index));
  assert.throws(() => allocate(1023), { code: 'failed', message: 'network large is full: it has 1023 endpoints' });
  assert.equal(pools.holder('10.9.4.1'), undefined);
  const [first] = endpoints;
  assert.ok(first);
  freeEndpoint(dependencies, 'owner0', first);
  assert.equal(allocate(1023).addresses.v4?.address, '10.9.4.1');
});
