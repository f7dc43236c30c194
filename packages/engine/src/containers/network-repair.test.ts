import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isNetyardError } from '@netyard/core';
import { checkRepair, hasNetAdmin, readRepair } from './network-repair.ts';

test('the label netyard.repair is true, false or absent', () => {
  assert.equal(readRepair({}), undefined);
  assert.equal(readRepair({ 'netyard.repair': 'true' }), true);
  assert.equal(readRepair({ 'netyard.repair': 'false' }), false);
  for (const text of ['', 'yes', 'TRUE', '0']) {
    assert.equal(readRepair({ 'netyard.repair': text }), undefined);
    assert.throws(
      () => checkRepair({ 'netyard.repair': text }),
      (error) => isNetyardError(error, 'invalid') && error.message.includes(JSON.stringify(text)),
    );
  }
});

test('CAP_NET_ADMIN follows from the added and dropped capabilities as in Docker', () => {
  const cases: [{ capAdd?: string[]; capDrop?: string[]; privileged?: boolean }, boolean][] = [
    [{}, false],
    [{ capAdd: ['NET_RAW'] }, false],
    [{ capAdd: ['NET_ADMIN'] }, true],
    [{ capAdd: ['cap_net_admin'] }, true],
    [{ capAdd: ['ALL'] }, true],
    [{ capAdd: ['all'], capDrop: ['net_admin'] }, false],
    [{ capAdd: ['NET_ADMIN'], capDrop: ['ALL'] }, true],
    [{ privileged: true }, true],
    [{ privileged: true, capDrop: ['NET_ADMIN'] }, true],
  ];
  for (const [{ capAdd = [], capDrop = [], privileged = false }, expected] of cases)
    assert.equal(
      hasNetAdmin({ capAdd, capDrop, privileged }),
      expected,
      JSON.stringify({ capAdd, capDrop, privileged }),
    );
});
