import assert from 'node:assert/strict';
import { test } from 'node:test';
import { computePacketRates, computeRates } from './rates.ts';

const counters = (rxBytes: bigint, txBytes = 0n, rxDropped = 0n) => ({
  ...{ rxBytes, txBytes, rxPackets: 0n, txPackets: 0n },
  ...{ rxErrors: 0n, txErrors: 0n, rxDropped, txDropped: 0n },
});

test('rates are per second; quiet, new and replaced interfaces have none', () => {
  const before = {
    time: 1_000_000_000n,
    counters: new Map([
      ['veth1', counters(100n, 50n)],
      ['quiet', counters(7n)],
      ['again', counters(900n)],
    ]),
  };
  const after = {
    time: 3_000_000_000n,
    counters: new Map([
      ['veth1', counters(2_100n, 51n, 4n)],
      ['quiet', counters(7n)],
      ['again', counters(10n)],
      ['new', counters(1_000n)],
    ]),
  };
  assert.deepEqual(computeRates(before, after), { veth1: [1_000, 1, 2] });
  assert.deepEqual(computeRates(after, after), {});
});

test('packets of peers become rates', () => {
  const at = (time: bigint, packets: bigint) => ({
    time,
    counters: new Map([['peer:a', { in: packets, out: 0n }]]),
  });
  assert.deepEqual(computePacketRates(at(0n, 10n), at(5_000_000_000n, 60n)), { 'peer:a': [10, 0] });
});
