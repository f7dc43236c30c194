import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMetricsAddress } from './metrics-address.ts';

test('the address of the metrics is HOST:PORT; only loopback addresses are private', () => {
  const parsed = (text: string) => Object.values(parseMetricsAddress(text) ?? {});
  assert.equal(parseMetricsAddress(''), undefined);
  assert.deepEqual(parsed('127.0.0.1:9323'), ['127.0.0.1', 9323, true]);
  assert.deepEqual(parsed('localhost:9323'), ['127.0.0.1', 9323, true]);
  assert.deepEqual(parsed('[::1]:9323'), ['::1', 9323, true]);
  assert.deepEqual(parsed('0.0.0.0:9323'), ['0.0.0.0', 9323, false]);
  assert.deepEqual(parsed(':9323'), ['', 9323, false]);
  for (const text of ['9323', '127.0.0.1', 'host1:9323', '127.0.0.1:99999', '[::1:9323', 'http://127.0.0.1:9323'])
    assert.throws(() => parseMetricsAddress(text), /for --metrics-addr: it is not ADDRESS:PORT/, text);
});
