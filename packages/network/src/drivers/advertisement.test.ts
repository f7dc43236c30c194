import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NetworkRecord } from '../contract.ts';
import { advertisementOf, validateAdvertisement } from './advertisement.ts';
import { findDriver } from './index.ts';

const key = 'com.docker.network.advertise_addr_';
const messages = (options: Record<string, string>, driver = 'bridge'): string[] => {
  const ipam = { driver: 'default', v4: [] };
  return (
    findDriver(driver)
      ?.validate({ ipam, internal: false, options })
      .map(({ message }) => message) ?? []
  );
};

test('values are those of Docker, on all drivers whose networks have ARP, with its messages', () => {
  for (const driver of ['bridge', 'macvlan', 'ipvlan', 'overlay']) {
    assert.deepEqual(messages({ [`${key}nmsgs`]: '0', [`${key}ms`]: '100' }, driver), []);
    assert.deepEqual(messages({ [`${key}nmsgs`]: '3', [`${key}ms`]: '2000' }, driver), []);
    assert.deepEqual(messages({ [`${key}nmsgs`]: '4' }, driver), [`${key}nmsgs must be in the range 0 to 3`]);
    assert.deepEqual(messages({ [`${key}nmsgs`]: '-1' }, driver), [`${key}nmsgs must be in the range 0 to 3`]);
    assert.deepEqual(messages({ [`${key}nmsgs`]: 'x' }, driver), [
      `value for option ${key}nmsgs "x" must be an integer`,
    ]);
    for (const value of ['99', '2001'])
      assert.deepEqual(messages({ [`${key}ms`]: value }, driver), [`${key}ms must be in the range 100 to 2000`]);
    assert.deepEqual(messages({ [`${key}ms`]: '1s' }, driver), [
      `value for option ${key}ms "1s" must be integer milliseconds`,
    ]);
  }
  assert.ok(validateAdvertisement({ [`${key}ms`]: '' }).every(({ code }) => code === 'invalid'));
  assert.deepEqual(messages({ ipvlan_mode: 'l3', [`${key}nmsgs`]: '3' }, 'ipvlan'), [
    `option ${key}nmsgs has no effect in mode l3, which has no ARP`,
  ]);
});

test('one option is completed by Docker’s default of the other; without any nothing is announced', () => {
  const of = (options: NetworkRecord['options']) => advertisementOf({ options });
  assert.equal(of({}), undefined);
  assert.deepEqual(of({ [`${key}ms`]: '200' }), { count: 3, intervalMs: 200 });
  assert.deepEqual(of({ [`${key}nmsgs`]: '1' }), { count: 1, intervalMs: 1000 });
  assert.deepEqual(of({ [`${key}nmsgs`]: '2', [`${key}ms`]: '100' }), { count: 2, intervalMs: 100 });
});
