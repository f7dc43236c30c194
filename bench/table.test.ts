import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatForDocument, linesBehind, replacePart, type Table } from './table.ts';

const table: Table = {
  part: 'commands',
  columns: ['netyard', 'docker'],
  rows: [
    { name: 'ps', unit: 'ms', cells: { netyard: [30, 32, 34], docker: [20] }, target: { ratio: 1.3, to: 'docker' } },
    { name: 'run', unit: 'ms', cells: { netyard: [100], docker: [125] }, target: { ratio: 1, to: 'docker' } },
    {
      ...{ name: 'pull', unit: 's', cells: { netyard: [3], docker: [2] } },
      target: [{ ratio: 2, to: 'docker' }, { atMost: 1 }, { ratio: 1, to: 'absent' }],
    },
    { name: 'ready', unit: 'ms', cells: { netyard: [1234.5] }, target: { atMost: 500 } },
  ],
  facts: ['On a machine.'],
};

test('a table has medians, their spread and the targets, and lists where Netyard is behind', () => {
  assert.deepEqual(formatForDocument(table).split('\n'), [
    '| what | unit | netyard | docker | target | reached |',
    '| --- | --- | --- | --- | --- | --- |',
    '| ps | ms | 32 (30–34) | 20 (20–20) | ≤ 1.3 × docker | **no: 1.60** |',
    '| run | ms | 100 (100–100) | 125 (125–125) | ≤ 1 × docker | yes: 0.80 |',
    '| pull | s | 3 (3–3) | 2 (2–2) | ≤ 2 × docker, ≤ 1 | yes: 1.50, **no** |',
    '| ready | ms | 1235 (1235–1235) | – | ≤ 500 | **no** |',
    ...['', 'Netyard is behind in:', '', '- ps: 1.60 × docker', '- pull: 1.50 × docker', '', 'On a machine.'],
  ]);
  assert.deepEqual(linesBehind({ ...table, columns: ['docker', 'netyard'] }), ['run: 1.25 × netyard']);
});

test('a part replaces only its own text in the document', () => {
  const document = 'a\n<!-- bench: x -->\nold\n<!-- end of bench: x -->\nb\n';
  assert.equal(replacePart(document, 'x', 'new\n'), 'a\n<!-- bench: x -->\nnew\n<!-- end of bench: x -->\nb\n');
  assert.throws(() => replacePart(document, 'y', 'new'), /no markers <!-- bench: y -->/);
});
