/** Repairs that another program keeps undoing are counted. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Repeats } from './repeats.ts';

const second = 1_000_000_000n;
const entry = (text: string) => ({ kind: 'repair', object: 'network bridge', text, commands: [], names: ['bridge'] });

test('of a day of repairs that are undone each second, a few entries are written, and no repair is lost', () => {
  const repeats = new Repeats();
  const texts: string[] = [];
  const day = 86_400;
  for (let at = 0; at < day; at += 1) {
    texts.push(...repeats.take(entry('a'), BigInt(at) * second).map(({ text }) => text));
  }
  texts.push(...repeats.takeAll().map(({ text }) => text));
  assert.equal(texts.length, 144 * 6, 'five and a count in each of 144 windows');
  assert.equal(texts[5], '595 more times within 10 minutes: a');
  const counted = texts.reduce((sum, text) => sum + Number(/^(\d+) more/.exec(text)?.[1] ?? 1), 0);
  assert.equal(counted, day);
});

test('different objects do not count together, and a window that is over is reported without another repair', () => {
  const repeats = new Repeats();
  for (let at = 0; at < 6; at += 1)
    for (const text of ['a', 'b']) {
      const due = repeats.take(entry(text), BigInt(at) * second);
      assert.deepEqual(due, at < 5 ? [entry(text)] : []);
    }
  assert.deepEqual(repeats.takeCounts(599n * second), []);
  assert.deepEqual(
    repeats.takeCounts(601n * second).map(({ text }) => text),
    ['1 more time within 10 minutes: a', '1 more time within 10 minutes: b'],
  );
  assert.deepEqual(repeats.takeAll(), []);
});

test('ten thousand different repairs are all written', () => {
  const repeats = new Repeats();
  let count = 0;
  for (let index = 0; index < 10_000; index += 1) count += repeats.take(entry(String(index)), second).length;
  assert.equal(count, 10_000);
});
