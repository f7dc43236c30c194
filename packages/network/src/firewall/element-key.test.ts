import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeElementKey } from './element-key.ts';

test('keys of elements are encoded as in the events of the kernel', () => {
  assert.deepEqual(encodeElementKey('172.18.0.1'), Buffer.from([172, 18, 0, 1]));
  assert.deepEqual(encodeElementKey('172.18.0.0/16'), Buffer.from([172, 18, 0, 0]));
  const name = Buffer.from('br-0123456789ab\0');
  assert.deepEqual(encodeElementKey('"br-0123456789ab"'), name);
  assert.deepEqual(
    encodeElementKey('"br-0123456789ab" . "eth0"'),
    Buffer.concat([name, Buffer.from('eth0'.padEnd(16, '\0'))]),
  );
});
