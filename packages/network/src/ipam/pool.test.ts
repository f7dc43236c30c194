import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isNetyardError } from '@netyard/core';
import { AddressPool } from './pool.ts';

function allocate(pool: AddressPool, holder: string): string | undefined {
  const address = pool.next();
  if (address === undefined) return undefined;
  pool.take(address, holder);
  pool.cursor = address;
  return address;
}

test('addresses are allocated in order; network, gateway and broadcast never', () => {
  const pool = new AddressPool({ subnet: '192.168.11.0/29', gateway: '192.168.11.1' });
  const allocated = Array.from({ length: 6 }, (_, index) => allocate(pool, `c${index}`));
  assert.deepEqual(allocated, [
    ...['192.168.11.2', '192.168.11.3', '192.168.11.4', '192.168.11.5', '192.168.11.6'],
    undefined,
  ]);
});

test('a just-released address is allocated last', () => {
  const pool = new AddressPool({ subnet: '10.0.0.0/29', gateway: '10.0.0.1' });
  for (const holder of ['a', 'b']) allocate(pool, holder);
  pool.free('10.0.0.2', 'a');
  assert.deepEqual(
    ['c', 'd', 'e'].map((holder) => allocate(pool, holder)),
    ['10.0.0.4', '10.0.0.5', '10.0.0.6'],
  );
  assert.equal(allocate(pool, 'f'), '10.0.0.2');
  assert.equal(allocate(pool, 'g'), undefined);
});

test('the cursor survives a restart: an address allocated before it is not allocated again at once', () => {
  const pool = new AddressPool({ subnet: '10.0.0.0/24', gateway: '10.0.0.1' });
  pool.cursor = '10.0.0.7';
  assert.equal(pool.next(), '10.0.0.8');
});

test('reserved addresses are skipped, and cannot be taken', () => {
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
  assert.equal(pool.holder('10.0.0.2'), 'static', 'only the holder can release it');
});

test('dynamic addresses come only from the range', () => {
  const pool = new AddressPool({ subnet: '10.0.0.0/24', gateway: '10.0.0.1', range: '10.0.0.64/30' });
  const allocated = Array.from({ length: 5 }, (_, index) => allocate(pool, `c${index}`));
  assert.deepEqual(allocated, ['10.0.0.64', '10.0.0.65', '10.0.0.66', '10.0.0.67', undefined]);
  assert.throws(
    () => new AddressPool({ subnet: '10.0.0.0/24', range: '10.0.1.0/30' }),
    /invalid ip-range 10\.0\.1\.0\/30: parent subnet 10\.0\.0\.0\/24 doesn't contain ip-range/,
  );
});

test('allocation in a large pool costs no more than in a small one', () => {
  const pool = new AddressPool({ subnet: '10.0.0.0/8', gateway: '10.0.0.1' });
  for (let index = 0; index < 5000; index += 1) allocate(pool, `c${index}`);
  assert.equal(pool.next(), '10.0.19.138');
});
