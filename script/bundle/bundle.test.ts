import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkEntry } from './entry.ts';
import { withOwnPaths } from './inputs.ts';
import { loadLazily } from './lazy-modules.ts';
import { lineTable } from './line-table.ts';

test('a module of Node is loaded where it is used', () => {
  const code = [
    'let node_fs = require("node:fs");',
    'let node_util = require("node:util");',
    'let other = require("./other.cjs");',
    'const read = () => (0, node_fs.readFileSync)("a", my.node_fs.b);',
    'class A extends node_util.B {}',
  ];
  assert.deepEqual(loadLazily(code.join('\n')).split('\n'), [
    'let node_util;let node_fs;',
    '',
    'let other = require("./other.cjs");',
    'const read = () => (0, (node_fs ??= require("node:fs")).readFileSync)("a", my.node_fs.b);',
    'class A extends (node_util ??= require("node:util")).B {}',
  ]);
});

test('a module that is passed on as a whole is loaded at once', () => {
  const code = 'let node_fs = require("node:fs");\nnode_fs.existsSync("a");\nf(node_fs);';
  assert.equal(loadLazily(code), code);
});

test('a chunk that imports the one that starts the program is rejected', () => {
  const entry = { fileName: 'netyard.cjs', isEntry: true, imports: ['common.cjs'] };
  checkEntry([entry, { fileName: 'common.cjs', isEntry: false, imports: [] }]);
  assert.throws(
    () => checkEntry([entry, { fileName: 'common.cjs', isEntry: false, imports: ['netyard.cjs'] }]),
    /common\.cjs imports netyard\.cjs/,
  );
});

test('a module of the bundle keeps the paths of its source', () => {
  const code = withOwnPaths('new URL("x", import.meta.url); import.meta.dirname', 'packages/a/src/b/c.ts');
  const url =
    'require("node:url").pathToFileURL(require("node:path").join(__dirname, "../../..", "packages/a/src/b/c.ts")).href';
  assert.equal(code, `new URL("x", ${url}); require("node:path").join(__dirname, "../../..", "packages/a/src/b")`);
});

test('a module of the bundle starts the bundle of a thread', () => {
  const url = 'require("node:url").pathToFileURL(require("node:path").join(__dirname, "x-thread.cjs"))';
  assert.equal(withOwnPaths("new URL('./x-thread.ts', import.meta.url)", 'packages/a/src/b.ts'), url);
  assert.equal(withOwnPaths(`new URL(\`./x-thread\${extname(import.meta.url)}\`, import.meta.url)`, 'a.ts'), url);
});

test('lines of a chunk have their source and its line', () => {
  const map = {
    version: 3,
    file: 'x',
    sources: ['../a.ts'],
    sourcesContent: [],
    names: [],
    sourceRoot: '',
    mappings: ';AACA,IAAI;;AAEA',
  };
  assert.deepEqual(
    lineTable(map, 4, (source) => source.slice(3)),
    {
      sources: ['a.ts'],
      lines: [-1, -1, 0, 1, -1, -1, 0, 3],
    },
  );
});
