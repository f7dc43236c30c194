import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findWords } from './check-words.ts';

test('dialect words are found in prose and in identifiers, with the standard term', () => {
  assert.deepEqual(findWords('fine\n/** The peer is told. */'), [
    { line: 2, word: 'told', instead: 'report, log, emit, return, say' },
  ]);
  assert.deepEqual(
    findWords('const isWanted = WANTED_PORTS;').map(({ word }) => word),
    ['Wanted'],
  );
});

test('words that only contain one are not found', () => {
  assert.deepEqual(findWords('busybox recommends a backyard, untold; viewBox'), []);
});
