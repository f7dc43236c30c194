import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatView, parseView, tokenOf } from './address-bar.ts';
import { EventParser } from './event-text.ts';
import { applyPatch, itemsOf } from './items.ts';
import type { PageItem } from './model.ts';
import { formatRate, lineWidth } from './units.ts';

test('a view survives the address bar; the default one is empty', () => {
  const view = { query: 'name:a b', view: 'table', selected: 'link:1:x&y', expanded: ['n/1', 'n/2'] } as const;
  assert.deepEqual(parseView(formatView(view)), view);
  assert.equal(formatView(parseView('')), '');
  assert.deepEqual(parseView('?view=other&select='), { query: '', view: 'map', expanded: [] });
});

test('a token is found in the fragment only in the form that the daemon prints', () => {
  assert.equal(tokenOf('#token=aB-_9'), 'aB-_9');
  for (const hash of ['', '#', '#token=', '#token=a&b', '#x', '#token=<']) assert.equal(tokenOf(hash), undefined, hash);
});

test('events arrive in any pieces; heartbeats are skipped', () => {
  const text = 'event: snapshot\ndata: {"items":[]}\n\n: heartbeat\n\nevent: rates\ndata: a: b\n\n';
  const expected = [
    { event: 'snapshot', data: '{"items":[]}' },
    { event: 'rates', data: 'a: b' },
  ];
  for (const length of [1, 3, 7, text.length]) {
    const parser = new EventParser();
    const events = Array.from({ length: Math.ceil(text.length / length) }, (_, index) =>
      parser.push(text.slice(index * length, (index + 1) * length)),
    );
    assert.deepEqual(events.flat(), expected, String(length));
  }
});

test('a patch sets and removes items', () => {
  const host = (name: string): PageItem => ({
    ...{ kind: 'host', id: name, name, version: '1', uplinks: [], problems: [] },
  });
  const before = itemsOf({ items: [host('a'), host('b')] });
  const changed = { ...host('b'), name: 'new' };
  assert.deepEqual(
    [...applyPatch(before, { set: [changed, host('c')], removed: ['a'] }).values()],
    [changed, host('c')],
  );
  assert.equal(before.size, 2);
});

test('rates are short, and a line grows with the logarithm', () => {
  const rates = [0, 950, 999.6, 1_234, 56_789, 1_250_000, 9_999_999_999_999].map(formatRate);
  assert.deepEqual(rates, ['0 B/s', '950 B/s', '1.0 kB/s', '1.2 kB/s', '57 kB/s', '1.3 MB/s', '10000 GB/s']);
  assert.deepEqual([0, 10, 100, 1_000, 1e6, 1e12].map(lineWidth), [1, 1, 2, 3, 6, 8]);
});
