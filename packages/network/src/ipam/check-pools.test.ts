/** Checks of requested subnets, and the addresses that a network reserves: Docker's messages. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isNetyardError } from '@netyard/core';
import type { IpamPool } from '../contract.ts';
import { checkPools } from './check-pools.ts';
import { completePool } from './complete-pool.ts';

const rejects = (pools: IpamPool[], expected: string): void =>
  assert.throws(
    () => checkPools(pools),
    (error) => {
      assert.ok(isNetyardError(error, 'invalid'));
      assert.equal(error.message, `invalid network config:\n${expected}`);
      return true;
    },
  );

test('valid and automatic pools pass', () => {
  checkPools([]);
  checkPools([{ subnet: '' }, { subnet: '0.0.0.0/24' }]);
  const auxAddresses = { a: '10.0.0.9' };
  checkPools([{ subnet: '10.0.0.0/24', gateway: '10.0.0.254', range: '10.0.0.128/25', auxAddresses }]);
});

const single: [IpamPool, string][] = [
  [{ subnet: '10.0.0.5/24' }, 'invalid subnet 10.0.0.5/24: it should be 10.0.0.0/24'],
  [{ subnet: '127.5.0.0/16' }, 'invalid subnet 127.5.0.0/16: loopback addresses'],
  [{ subnet: '239.0.0.0/24' }, 'invalid subnet 239.0.0.0/24: multicast addresses'],
  [{ subnet: '::1/128' }, 'invalid subnet ::1/128: the loopback address'],
  [{ subnet: '::ffff:10.1.0.0/120' }, 'invalid subnet ::ffff:10.1.0.0/120: IPv4-mapped addresses'],
  [{ subnet: '10.0.0.0' }, 'invalid subnet 10.0.0.0: invalid CIDR block notation'],
  [{ subnet: '', gateway: '10.0.0.1' }, 'invalid subnet : invalid CIDR block notation'],
  [{ subnet: '10.0.0.0/24', range: 'fd00::/64' }, 'invalid ip-range fd00::/64: parent subnet is an IPv4 block'],
  [
    { subnet: '10.0.0.0/24', range: '10.0.0.0/16' },
    'invalid ip-range 10.0.0.0/16: CIDR block is bigger than its parent subnet 10.0.0.0/24',
  ],
  [{ subnet: '10.0.0.0/24', range: '10.0.0.7/25' }, 'invalid ip-range 10.0.0.7/25: it should be 10.0.0.0/25'],
  [
    { subnet: '10.0.0.0/24', range: '10.0.1.0/25' },
    "invalid ip-range 10.0.1.0/25: parent subnet 10.0.0.0/24 doesn't contain ip-range",
  ],
  [
    { subnet: '10.0.0.0/24', gateway: '10.0.1.1' },
    "invalid gateway 10.0.1.1: parent subnet 10.0.0.0/24 doesn't contain this address",
  ],
  [{ subnet: '10.0.0.0/24', gateway: 'fd00::1' }, 'invalid gateway fd00::1: parent subnet is an IPv4 block'],
  [
    { subnet: '10.0.0.0/24', auxAddresses: { dns: '10.0.1.1' } },
    "invalid auxiliary address dns: parent subnet 10.0.0.0/24 doesn't contain this address",
  ],
];
for (const [pool, expected] of single) test(`rejected: ${expected}`, () => rejects([pool], expected));

test('all problems of all pools are in one list', () => {
  rejects(
    [{ subnet: '10.0.0.1/24', range: '10.1.0.1/25', gateway: '10.2.0.1' }, { subnet: 'x' }],
    [
      '* invalid subnet 10.0.0.1/24: it should be 10.0.0.0/24',
      '* invalid ip-range 10.1.0.1/25: it should be 10.1.0.0/25',
      "* invalid ip-range 10.1.0.1/25: parent subnet 10.0.0.1/24 doesn't contain ip-range",
      "* invalid gateway 10.2.0.1: parent subnet 10.0.0.1/24 doesn't contain this address",
      '* invalid subnet x: invalid CIDR block notation',
    ].join('\n'),
  );
});

test('the gateway is the requested address, or the lowest free one of subnet or ip-range', () => {
  const gatewayOf = (pool: IpamPool): string | undefined => completePool(pool).gateway;
  assert.equal(gatewayOf({ subnet: '10.0.0.0/24' }), '10.0.0.1');
  assert.equal(gatewayOf({ subnet: '10.0.0.0/24', range: '10.0.0.128/25' }), '10.0.0.128');
  assert.equal(gatewayOf({ subnet: '10.0.0.0/24', range: '10.0.0.0/25' }), '10.0.0.1');
  assert.equal(gatewayOf({ subnet: '10.0.0.0/24', range: '10.0.0.128/25', gateway: '10.0.0.9' }), '10.0.0.9');
  assert.equal(gatewayOf({ subnet: '10.0.0.0/31' }), '10.0.0.0');
});

const conflicts: [IpamPool, string][] = [
  [{ subnet: '10.0.0.0/24', gateway: '10.0.0.0' }, 'failed to allocate gateway (10.0.0.0): Address already in use'],
  [
    { subnet: '10.0.0.0/24', gateway: '10.0.1.1' },
    'failed to allocate gateway (10.0.1.1): requested address is out of range',
  ],
  [
    { subnet: '10.0.0.0/24', auxAddresses: { a: '10.0.0.1' } },
    'failed to allocate secondary ip address (a:10.0.0.1): Address already in use',
  ],
  [
    { subnet: '10.0.0.0/24', auxAddresses: { a: '10.0.0.7', b: '10.0.0.7' } },
    'failed to allocate secondary ip address (b:10.0.0.7): Address already in use',
  ],
];
for (const [pool, expected] of conflicts)
  test(`rejected: ${expected}`, () => {
    assert.throws(
      () => completePool(pool),
      (error) => isNetyardError(error, 'failed') && error.message === expected,
    );
  });
