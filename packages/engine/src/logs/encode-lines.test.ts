import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LineEncoder, maximumLineLength } from './encode-lines.ts';

const time = '2023-11-14T22:13:20Z';

function encode(input: string | Uint8Array, { isEnd = false, room = Number.POSITIVE_INFINITY, attributes = '' } = {}) {
  const encoder = new LineEncoder('stdout', attributes);
  const target = Buffer.alloc(1 << 20);
  const source = Buffer.from(input as string);
  const text = target.subarray(0, encoder.encode(source, target, room, time, isEnd)).toString();
  const lines = text.split('\n').slice(0, -1);
  return { text, consumed: encoder.consumed, logs: lines.map((line) => String(JSON.parse(line).log)), encoder };
}

test('an entry is one line of JSON with Docker’s field order; a partial entry has no newline', () => {
  const { text, consumed } = encode('say "hi"\n');
  assert.equal(text, `{"log":"say \\"hi\\"\\n","stream":"stdout","time":"${time}"}\n`);
  assert.equal(consumed, 9);
  const piece = encode('x', { isEnd: true, attributes: '{"a":"b"}' });
  assert.equal(piece.text, `{"log":"x","stream":"stdout","attrs":{"a":"b"},"time":"${time}"}\n`);
});

test('an unfinished line is kept until its rest or the end of the output arrives', () => {
  assert.deepEqual(encode('a\n\nbc').logs, ['a\n', '\n']);
  assert.equal(encode('a\n\nbc').consumed, 3);
  assert.deepEqual(encode('a\n\nbc', { isEnd: true }).logs, ['a\n', '\n', 'bc']);
  assert.deepEqual(encode('').logs, []);
});

test('a long line is split into entries of 16 KiB, and one of exactly 16 KiB is kept whole with its newline', () => {
  const { logs, consumed } = encode(`${'x'.repeat(2 * maximumLineLength + 5)}\n`);
  assert.deepEqual(
    logs.map(({ length }) => length),
    [maximumLineLength, maximumLineLength, 6],
  );
  assert.equal(consumed, 2 * maximumLineLength + 6);
  assert.deepEqual(encode(`${'y'.repeat(maximumLineLength)}\n`).logs, [`${'y'.repeat(maximumLineLength)}\n`]);
});

test('all entries of a split line have the time of the first, and the next line its own', () => {
  const encoder = new LineEncoder('stderr', '');
  const target = Buffer.alloc(1 << 20);
  const times: string[] = [];
  for (const [input, at] of [
    ['x'.repeat(maximumLineLength), '1'],
    ['rest\n', '2'],
    ['next\n', '3'],
  ] as const) {
    const size = encoder.encode(Buffer.from(input), target, 1, at, false);
    times.push(JSON.parse(target.toString('utf8', 0, size)).time);
  }
  assert.deepEqual(times, ['1', '1', '3']);
});

test('lines are split between characters', () => {
  const { logs } = encode(`${'x'.repeat(maximumLineLength - 1)}€`, { isEnd: true });
  assert.deepEqual(logs, ['x'.repeat(maximumLineLength - 1), '€']);
});

test('invalid UTF-8 is replaced byte by byte, as in Go', () => {
  const bytes = [0x61, 0x80, 0xe2, 0x82, 0x62, 0xc0, 0xaf, 0xed, 0xa0, 0x80, 0xf5, 0xff, 0x0a];
  const { text, consumed } = encode(Uint8Array.from(bytes));
  const bad = '\\ufffd';
  assert.ok(text.startsWith(`{"log":"a${bad}${bad}${bad}b${bad}${bad}${bad}${bad}${bad}${bad}${bad}\\n"`), text);
  assert.equal(consumed, bytes.length);
  const binary = encode(Buffer.alloc(3 * maximumLineLength, 0x80), { isEnd: true });
  assert.equal(binary.logs.join('').length, 3 * maximumLineLength);
});

test('escapes are those of Docker’s json-file', () => {
  const { text } = encode('\t\r\u0000\u001b\\<>&\u2028\u2029\u007fé€😀\n');
  const expected = '\\u0009\\r\\u0000\\u001b\\\\\\u003c\\u003e\\u0026\\u2028\\u2029\u007fé€😀\\n';
  assert.ok(text.startsWith(`{"log":"${expected}"`), text);
});

test('every byte and many random ones survive encoding and decoding, except for invalid UTF-8', () => {
  let seed = 1;
  const random = (): number => {
    seed = (seed * 1103515245 + 12345) & 0x7fffffff;
    return seed >> 8;
  };
  const all = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  const noise = Buffer.from(Array.from({ length: 50_000 }, () => random() & (random() % 3 === 0 ? 0xff : 0x7f)));
  for (const input of [all, noise]) {
    const { logs } = encode(input, { isEnd: true });
    const ascii = (text: string): string => text.replace(/[^\0-\x7f]/g, '');
    assert.equal(ascii(logs.join('')), ascii(input.toString()));
  }
});

test('encoding stops when the room is used up: the entry that fills it is included', () => {
  const { logs, consumed } = encode('one\ntwo\nthree\n', { room: 70 });
  assert.deepEqual(logs, ['one\n', 'two\n']);
  assert.equal(consumed, 8);
});
