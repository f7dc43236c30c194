import assert from 'node:assert/strict';
import { test } from 'node:test';
import { translateStack } from './source-lines.ts';

const table = { sources: ['packages/a/src/a.ts', 'packages/b/src/b.ts'], lines: [-1, -1, 0, 0, 1, 41] };
const tableOf = (file: string) => (file === '/top/dist/netyard.cjs' ? table : undefined);

test('positions in a chunk become files and lines of the sources', () => {
  const stack = [
    'Error: at /top/dist/other.cjs:2:3',
    '    at start (/top/dist/netyard.cjs:3:17)',
    '    at async /top/dist/netyard.cjs:2:1',
    '    at /top/dist/netyard.cjs:1:1',
    '    at /top/dist/netyard.cjs:9:1',
    '    at node:internal/timers:574:21',
  ];
  assert.deepEqual(translateStack(stack.join('\n'), tableOf).split('\n'), [
    stack[0],
    '    at start (packages/b/src/b.ts:42)',
    '    at async packages/a/src/a.ts:1',
    ...stack.slice(3),
  ]);
});
