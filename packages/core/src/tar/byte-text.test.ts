import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytesOf, textOf } from './byte-text.ts';

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function isValid(bytes: Uint8Array): boolean {
  try {
    decoder.decode(bytes);
    return true;
  } catch {
    return false;
  }
}

test('a sequence of bytes is escaped unless it is valid UTF-8', () => {
  const interesting = [0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff];
  for (let first = 0x80; first < 0x100; first += 1)
    for (const second of interesting)
      for (const tail of [[], [0x80], [0xbf, 0xbf], [0xff, 0x80]]) {
        const bytes = Buffer.from([first, second, ...tail]);
        const text = textOf(bytes);
        assert.equal(text.isWellFormed(), isValid(bytes), bytes.toString('hex'));
        assert.ok(bytesOf(text).equals(bytes), bytes.toString('hex'));
      }
});

test('valid sequences between bytes that are not are decoded', () => {
  const bytes = Buffer.concat([Buffer.from([0xe9]), Buffer.from('é€😀'), Buffer.from([0xe2, 0x82]), Buffer.from('x')]);
  assert.equal(textOf(bytes), '\udce9é€😀\udce2\udc82x');
  assert.ok(bytesOf(textOf(bytes)).equals(bytes));
});
