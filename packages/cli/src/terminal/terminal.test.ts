import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DetachScanner, parseDetachKeys } from './detach.ts';
import { bar, plainLine } from './progress.ts';

test('detach keys are parsed like docker’s', () => {
  assert.deepEqual(parseDetachKeys('ctrl-p,ctrl-q'), [16, 17]);
  assert.deepEqual(parseDetachKeys('a,ctrl-@,ctrl-['), [97, 0, 27]);
  for (const text of ['', 'ctrl-', 'ab', 'ctrl-P', 'ü'])
    assert.throws(() => parseDetachKeys(text), /Unknown character/);
});

test('the sequence detaches, also in two chunks; an incomplete one is forwarded', () => {
  const feed = (...chunks: number[][]): { text: number[]; detached: boolean } => {
    const scanner = new DetachScanner([16, 17]);
    const text: number[] = [];
    for (const chunk of chunks) {
      const { forward, detached } = scanner.feed(Uint8Array.from(chunk));
      text.push(...forward);
      if (detached) return { text, detached };
    }
    return { text, detached: false };
  };
  assert.deepEqual(feed([65, 16, 17, 66]), { text: [65], detached: true });
  assert.deepEqual(feed([16], [17]), { text: [], detached: true });
  assert.deepEqual(feed([16, 66], [67]), { text: [16, 66, 67], detached: false });
  assert.deepEqual(feed([16, 16, 17]), { text: [16], detached: true });
});

test('progress is lines and a bar', () => {
  assert.equal(plainLine({ id: 'a', status: 'Pull complete', progressDetail: {} }), 'a: Pull complete\n');
  assert.equal(plainLine({ id: 'a', status: 'Downloading', progressDetail: { current: 5, total: 9 } }), '');
  assert.equal(plainLine({ stream: 'Loaded image: x\n' }), 'Loaded image: x\n');
  const half = { progressDetail: { current: 1000, total: 2000 } };
  assert.equal(bar(half, 80), '     1kB/2kB');
  assert.equal(bar(half, 120), `[${'='.repeat(25)}>${' '.repeat(25)}]      1kB/2kB`);
  assert.equal(bar({}, 80), '');
});
