import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planWeb } from './web-address.ts';

const tls = { ca: '/ca', certificate: '/cert', key: '/key' };

test('the page listens on a loopback address without TLS, elsewhere only with a certificate', () => {
  assert.equal(planWeb('', false, tls), undefined);
  assert.deepEqual(planWeb('localhost:7420', true, tls), {
    host: '127.0.0.1',
    port: 7420,
    actions: true,
    tls: undefined,
  });
  assert.equal(planWeb('[::1]:7420', false, undefined)?.host, '::1');
  for (const address of ['0.0.0.0:7420', '10.0.0.1:7420', '[::]:7420', '[::ffff:127.0.0.1]:7420']) {
    assert.throws(() => planWeb(address, false, undefined), /the page needs TLS/);
    assert.deepEqual(planWeb(address, false, tls)?.tls, { certificate: '/cert', key: '/key' });
  }
});

test('invalid addresses are rejected', () => {
  for (const address of [
    '7420',
    ':7420',
    'host1:7420',
    '127.0.0.1',
    '127.0.0.1:65536',
    '::1:7420',
    'http://127.0.0.1:1',
  ])
    assert.throws(() => planWeb(address, false, tls), /invalid value/, address);
});
