import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'netyard-results-')));
after(() => rmSync(folder, { recursive: true }));

const samples = {
  'inner.test.mjs': `import { describe, test } from 'node:test';
    test('outer', async (t) => { await t.test('good', () => {}); await t.test('bad', () => { throw new Error(); }); });
    describe('suite', () => test('bad\\nin\\ttwo', () => { throw new Error(); }));
    test('expected', { todo: true }, () => { throw new Error(); });
    test('later', { skip: true }, () => {});`,
  'alone.test.mjs': `throw new Error();`,
  'hook.test.mjs': `import { before, test } from 'node:test';
    before(() => { throw new Error(); });
    test('after a hook', () => {});`,
  'good.test.mjs': `import { test } from 'node:test'; test('good', () => {});`,
};

/** Runs samples as script/test does. @returns what stands under its heading `result`, and the status */
function resultOf(...files: (keyof typeof samples)[]): { lines: string[]; status: number | null } {
  for (const file of files) writeFileSync(join(folder, file), samples[file]);
  const { NODE_TEST_CONTEXT: _own, ...environment } = process.env;
  const results = join(folder, 'results');
  const runner = [join(import.meta.dirname, 'run-tests.ts'), results, '2', ...files];
  const run = spawnSync(process.execPath, runner, { cwd: folder, env: environment, encoding: 'utf8' });
  const program = join(import.meta.dirname, 'test-results.awk');
  const { stdout, status } = spawnSync('awk', ['-F', '\t', '-f', program, results], {
    encoding: 'utf8',
  });
  assert.equal(run.status, status, run.stdout + run.stderr);
  return { lines: stdout.trimEnd().split('\n'), status };
}

test('each test that failed is listed with its file, above the numbers', () => {
  const { lines, status } = resultOf('inner.test.mjs', 'alone.test.mjs', 'hook.test.mjs', 'good.test.mjs');
  assert.deepEqual(lines, [
    'failed: inner.test.mjs: outer > bad',
    'failed: inner.test.mjs: suite > bad in two',
    'failed: alone.test.mjs: the file itself',
    'failed: hook.test.mjs: after a hook',
    '2 passed, 5 failed, 2 skipped',
  ]);
  assert.equal(status, 1);
});

test('without a failure there are the numbers alone', () => {
  assert.deepEqual(resultOf('good.test.mjs'), { lines: ['1 passed, 0 failed, 0 skipped'], status: 0 });
});
