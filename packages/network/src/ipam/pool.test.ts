import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isNetyardError } from '@netyard/core';
import { AddressPool } from './pool.ts';

function give(pool: AddressPool, holder: string): string | undefined {
  const address = pool.next();
  if (address === undefined) return undefined;
  pool.take(address, holder);
  pool.cursor = address;
  return address;
}

test('addresses are given in order; network, gateway and broadcast never', () => {
  const pool = new AddressPool({ subnet: '192.168.11.0/29', gateway: '192.168.11.1' });
  const given = Array.from({ length: 6 }, (_, index) => give(pool, `c${index}`));
  assert.deepEqual(given, ['192.168.11.2', '192.168.11.3', '192.168.11.4', '192.168.11.5', '192.168.11.6', undefined]);
});

test('a just-freed address comes back last', () => {
  const pool = new AddressPool({ subnet: '10.0.0.0/29', gateway: '10.0.0.1' });
  for (const holder of ['a', 'b']) give(pool, holder);
  pool.free('10.0.0.2', 'a');
  assert.deepEqual([give(pool, 'c'), give(pool, 'd'), give(pool, 'e')], ['10.0.0.4', '10.0.0.5', '10.0.0.6']);
  assert.equal(give(pool, 'f'), '10.0.0.2');
  assert.equal(give(pool, 'g'), undefined);
});

test('the cursor survives: what was given before a restart is not given again at once', () => {
  const pool = new AddressPool({ subnet: '10.0.0.0/24', gateway: '10.0.0.1' });
  pool.cursor = '10.0.0.7';
  assert.equal(pool.next(), '10.0.0.8');
});

test('reserved addresses are skipped, and refused to others', () => {
  const pool = new AddressPool({ subnet: '10.0.0.0/24', gateway: '10.0.0.1', auxAddresses: { dns: '10.0.0.3' } });
  pool.take('10.0.0.2', 'static');
  pool.take('10.0.0.2', 'static');
  assert.equal(pool.next(), '10.0.0.4');
  for (const address of ['10.0.0.0', '10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.255'])
    assert.throws(
      () => pool.take(address, 'other'),
      (error) => isNetyardError(error, 'forbidden') && error.message === 'Address already in use',
    );
  assert.throws(() => pool.take('10.0.1.2', 'other'), /no configured subnet contains IP address 10\.0\.1\.2/);
  pool.free('10.0.0.2', 'other');
  assert.equal(pool.holder('10.0.0.2'), 'static', 'only the holder gives back');
});

test('dynamic addresses come from the range only', () => {
  const pool = new AddressPool({ subnet: '10.0.0.0/24', gateway: '10.0.0.1', range: '10.0.0.64/30' });
  const given = Array.from({ length: 5 }, (_, index) => give(pool, `c${index}`));
  assert.deepEqual(given, ['10.0.0.64', '10.0.0.65', '10.0.0.66', '10.0.0.67', undefined]);
  assert.throws(
    () => new AddressPool({ subnet: '10.0.0.0/24', range: '10.0.1.0/30' }),
    /invalid ip-range 10\.0\.1\.0\/30: parent subnet 10\.0\.0\.0\/24 doesn't contain ip-range/,
  );
});

test('a big pool costs no more than a small one', () => {
  const pool = new AddressPool({ subnet: '10.0.0.0/8', gateway: '10.0.0.1' });
  for (let index = 0; index < 5000; index += 1) give(pool, `c${index}`);
  assert.equal(pool.next(), '10.0.19.138');
});
