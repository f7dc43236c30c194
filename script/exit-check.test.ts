import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

const folder = mkdtempSync(join(tmpdir(), 'netyard-ends-'));
after(() => rmSync(folder, { recursive: true }));

function runAlone(body: string): { status: number | null; said: string } {
  const file = join(folder, 'it.test.mjs');
  writeFileSync(file, `import { test } from 'node:test';\nimport { createServer } from 'node:net';\n${body}\n`);
  const preload = join(import.meta.dirname, 'exit-check.ts');
  const { NODE_TEST_CONTEXT: _ours, ...environment } = process.env;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--test', '--import', preload, file], {
    encoding: 'utf8',
    env: { ...environment, NETYARD_TEST_PATIENCE_MS: '100' },
    timeout: 60_000,
  });
  return { status, said: stdout + stderr };
}

test('a file that leaves a server open fails, and the server is named', () => {
  const { status, said } = runAlone(`test('a', () => new Promise((go) => createServer().listen(0, '127.0.0.1', go)));`);
  assert.equal(status, 1);
  assert.match(said, /does not end: .*TCPServerWrap/);
});

test('a file that fails and leaves a timer ends, too', () => {
  const { status, said } = runAlone(`test('a', () => { setInterval(() => {}, 1e6); throw new Error('no'); });`);
  assert.equal(status, 1);
  assert.match(said, /does not end: .*Timeout/);
});

test('a file that ends passes', () => {
  const { status, said } = runAlone(`test('a', () => {});`);
  assert.equal(status, 0, said);
  assert.doesNotMatch(said, /does not end/);
});
