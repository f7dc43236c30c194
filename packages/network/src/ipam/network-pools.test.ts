import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Family } from '../family.ts';
import { NetworkPools } from './network-pools.ts';

function allocate(pools: NetworkPools, family: Family, holder = 'c'): string | undefined {
  const address = pools.next(family);
  if (address === undefined) return undefined;
  pools.take(address, holder);
  pools.setCursor(address);
  return address;
}

test('a family with several subnets continues in the next one when a subnet is full', () => {
  const pools = new NetworkPools({
    v4: [
      { subnet: '10.0.0.0/30', gateway: '10.0.0.1' },
      { subnet: '10.0.1.0/30', gateway: '10.0.1.1' },
    ],
  });
  assert.deepEqual(
    [1, 2, 3].map(() => allocate(pools, 'v4')),
    ['10.0.0.2', '10.0.1.2', undefined],
  );
  assert.equal(pools.poolOf('10.0.1.2')?.gateway, '10.0.1.1');
  pools.free('10.0.0.2', 'c');
  assert.equal(allocate(pools, 'v4'), '10.0.0.2');
  assert.equal(allocate(pools, 'v6'), undefined);
});

test('a network can have IPv6 only, and both families allocate independently', () => {
  const six = new NetworkPools({ v6: [{ subnet: 'fd00:5::/64', gateway: 'fd00:5::1' }] });
  assert.deepEqual([allocate(six, 'v4'), allocate(six, 'v6')], [undefined, 'fd00:5::2']);
  const both = new NetworkPools({
    v4: [{ subnet: '10.0.0.0/24', gateway: '10.0.0.1' }],
    v6: [{ subnet: 'fd00::/120', gateway: 'fd00::1' }],
  });
  assert.deepEqual([allocate(both, 'v4'), allocate(both, 'v6')], ['10.0.0.2', 'fd00::2']);
  assert.deepEqual(both.cursors, { v4: '10.0.0.2', v6: 'fd00::2' });
  assert.equal(both.holder('fd00::2'), 'c');
  assert.throws(() => both.take('fd00:9::2', 'c'), /no configured subnet contains IP address fd00:9::2/);
});

test('the cursor continues in the subnet of the last address, also after a restart', () => {
  const pools = new NetworkPools({ v4: [{ subnet: '10.0.0.0/24' }, { subnet: '10.0.1.0/24' }] });
  pools.setCursor('10.0.1.7');
  assert.equal(pools.next('v4'), '10.0.1.8');
  pools.setCursor('192.0.2.1'); // of a former subnet
  pools.setCursor(undefined);
  assert.equal(pools.next('v4'), '10.0.1.8');
});

test('a copy has the same allocations and cursor, and its changes do not affect the original', () => {
  const pools = new NetworkPools({
    v4: [{ subnet: '10.0.0.0/24', range: '10.0.0.128/25' }, { subnet: '10.0.1.0/24' }],
  });
  pools.setCursor('10.0.1.7');
  pools.take('10.0.1.8', 'c');
  const copy = pools.copy();
  assert.equal(copy.holder('10.0.1.8'), 'c');
  assert.equal(allocate(copy, 'v4', 'draft'), '10.0.1.9');
  assert.equal(pools.holder('10.0.1.9'), undefined);
  assert.deepEqual(pools.cursors, { v4: '10.0.1.7' });
});
