import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CaptureReader } from './pcapng.ts';

/** A block whose body consists of 32-bit words and texts of whole words. */
function block(type: number, ...body: (number | string)[]): Buffer {
  const parts = body.map((part) => (typeof part === 'string' ? Buffer.from(part) : word(part)));
  const length = 12 + Buffer.concat(parts).length;
  return Buffer.concat([word(type), word(length), ...parts, word(length)]);
}

function word(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

/** Code and length of an option. */
const option = (code: number, length: number): number => code + length * 65536;

const file = Buffer.concat([
  block(0x0a0d0d0a, 0x1a2b3c4d, 1, 0xffffffff, 0xffffffff),
  block(1, 113, 96, option(2, 4), 'eth0', option(3, 7), 'the any\0', option(0, 0)),
  block(4, option(1, 8), 0x020011ac, 'web\0', option(0, 0)),
  block(6, 0, 0, 0, 4, 4, 'abcd'),
  block(6, 0, 0, 0, 4, 4, 'efgh'),
  block(5, 0, 0, 0, option(6, 8), 7, 0, option(7, 8), 3, 0, option(1, 4), 'gone', option(0, 0)),
]);

test('chunks of any length are parsed to the same result', () => {
  for (const size of [1, 3, 7, 64, file.length]) {
    const reader = new CaptureReader();
    for (let offset = 0; offset < file.length; offset += size) reader.feed(file.subarray(offset, offset + size));
    assert.deepEqual(reader.head, { linkType: 113, snapLength: 96, description: 'the any' });
    assert.equal(reader.packets, 2);
    assert.deepEqual(reader.tail, { received: 7, dropped: 3, problem: 'gone' });
  }
});

test('a truncated file has no tail', () => {
  const reader = new CaptureReader();
  reader.feed(file.subarray(0, -1));
  assert.equal(reader.packets, 2);
  assert.equal(reader.tail, undefined);
});

test('data that is no capture is rejected', () => {
  assert.throws(() => new CaptureReader().feed(Buffer.from('<html><body>')), /no capture/);
  const broken = new CaptureReader();
  broken.feed(file.subarray(0, 28));
  assert.throws(() => broken.feed(Buffer.concat([word(6), word(13)])), /no capture/);
});
