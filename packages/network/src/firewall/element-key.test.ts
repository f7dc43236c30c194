import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeElementKey, linkOfElementKey } from './element-key.ts';

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

test('MACs and numbers are padded to four bytes', () => {
  const name = Buffer.from('ny-0123456789ab\0');
  const mac = Buffer.from('0242ac1100020000', 'hex');
  assert.deepEqual(encodeElementKey('"ny-0123456789ab" . 02:42:ac:11:00:02'), Buffer.concat([name, mac]));
  assert.deepEqual(
    encodeElementKey('"ny-0123456789ab" . 02:42:ac:11:00:02 . 0x242ac110002', 6),
    Buffer.concat([name, mac, mac]),
  );
  assert.deepEqual(
    encodeElementKey('"ny-0123456789ab" . 02:42:ac:11:00:02 . 0xfd000000000000000000000000000001', 16),
    Buffer.concat([name, mac, Buffer.from('fd000000000000000000000000000001', 'hex')]),
  );
});

test('a key names the interface that it begins with', () => {
  assert.equal(linkOfElementKey(encodeElementKey('"ny-0123456789ab" . 02:42:ac:11:00:02')), 'ny-0123456789ab');
  assert.equal(linkOfElementKey(encodeElementKey('"eth0"')), 'eth0');
});
