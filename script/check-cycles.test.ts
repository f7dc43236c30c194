import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeCycle, findCycles, groupGraph, topFolder } from './check-cycles.ts';

const graph = (edges: Record<string, string[]>): Map<string, Set<string>> =>
  new Map(Object.entries(edges).map(([node, targets]) => [node, new Set(targets)]));

test('a chain has no cycle; a cycle is found with all its members', () => {
  assert.deepEqual(findCycles(graph({ a: ['b'], b: ['c'], c: [] })), []);
  assert.deepEqual(findCycles(graph({ a: ['b'], b: ['c'], c: ['b', 'd'], d: ['c'] })), [['b', 'c', 'd']]);
});

test('cycles without a common member are separate', () => {
  assert.deepEqual(findCycles(graph({ a: ['b'], b: ['a', 'c'], c: ['d'], d: ['c'] })), [
    ['c', 'd'],
    ['a', 'b'],
  ]);
});

test('folders that import each other through different files form a cycle', () => {
  const files = graph({
    'packages/p/src/a/one.ts': ['packages/p/src/b/two.ts'],
    'packages/p/src/b/three.ts': ['packages/p/src/a/four.ts'],
  });
  assert.deepEqual(findCycles(files), []);
  assert.deepEqual(findCycles(groupGraph(files, topFolder)), [['packages/p/src/a', 'packages/p/src/b']]);
});

test('a cycle is described as a path of imports', () => {
  assert.equal(describeCycle(graph({ a: ['b'], b: ['a'] }), ['a', 'b']), '2 in a cycle: a → b → …');
});
