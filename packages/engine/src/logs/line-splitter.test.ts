import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LineSplitter, maximumLineLength } from './line-splitter.ts';

const texts = (lines: { text: Buffer }[]): string[] => lines.map(({ text }) => text.toString());

test('lines are cut at newlines, over any number of pushes', () => {
  const splitter = new LineSplitter();
  assert.deepEqual(texts(splitter.push(Buffer.from('a\nb'))), ['a']);
  const lines = splitter.push(Buffer.from('c\n\nd'));
  assert.deepEqual(texts(lines), ['bc', '']);
  assert.equal(lines.at(-1)?.consumed, 6);
  const [rest] = splitter.end();
  assert.deepEqual([rest?.text.toString(), rest?.complete, rest?.consumed], ['d', false, 7]);
  assert.deepEqual(splitter.end(), []);
});

test('a long line comes in pieces of 16 KiB, and one of exactly 16 KiB with its newline in one', () => {
  const splitter = new LineSplitter();
  const lines = splitter.push(Buffer.from(`${'x'.repeat(2 * maximumLineLength + 5)}\n`));
  assert.deepEqual(
    lines.map(({ text, complete }) => [text.length, complete]),
    [
      [maximumLineLength, false],
      [maximumLineLength, false],
      [5, true],
    ],
  );
  assert.equal(lines.at(-1)?.consumed, 2 * maximumLineLength + 6);
  assert.equal(splitter.push(Buffer.from(`${'y'.repeat(maximumLineLength)}\n`))[0]?.complete, true);
});

test('a piece ends between characters, and what is no UTF-8 still gets through', () => {
  const splitter = new LineSplitter();
  const long = `${'x'.repeat(maximumLineLength - 1)}€`;
  const lines = [...splitter.push(Buffer.from(long)), ...splitter.end()];
  assert.deepEqual(texts(lines), ['x'.repeat(maximumLineLength - 1), '€']);
  const binary = Buffer.alloc(3 * maximumLineLength, 0x80);
  const pieces = [...splitter.push(binary), ...splitter.end()];
  assert.deepEqual(Buffer.concat(pieces.map(({ text }) => text)), binary);
});
