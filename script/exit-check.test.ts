import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

const folder = mkdtempSync(join(tmpdir(), 'netyard-exit-'));
after(() => rmSync(folder, { recursive: true }));

function runAlone(body: string, timeoutMs = '100'): { status: number | null; output: string } {
  const file = join(folder, 'sample.test.mjs');
  writeFileSync(file, `import { test } from 'node:test';\nimport { createServer } from 'node:net';\n${body}\n`);
  const preload = join(import.meta.dirname, 'exit-check.ts');
  const { NODE_TEST_CONTEXT: _own, ...environment } = process.env;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--test', '--import', preload, file], {
    encoding: 'utf8',
    env: { ...environment, NETYARD_TEST_EXIT_TIMEOUT_MS: timeoutMs },
    timeout: 60_000,
  });
  return { status, output: stdout + stderr };
}

test('a file that leaves a server open fails, and the server is reported', () => {
  const { status, output } = runAlone(
    `test('a', () => new Promise((resolve) => createServer().listen(0, '127.0.0.1', resolve)));`,
  );
  assert.equal(status, 1);
  assert.match(output, /does not end: .*TCPServerWrap/);
});

test('a file that fails and leaves a timer is ended', () => {
  const { status, output } = runAlone(`test('a', () => { setInterval(() => {}, 1e6); throw new Error('no'); });`);
  assert.equal(status, 1);
  assert.match(output, /does not end: .*Timeout/);
});

test('a file that ends passes', () => {
  const { status, output } = runAlone(`test('a', () => {});`, '60000');
  assert.equal(status, 0, output);
  assert.doesNotMatch(output, /does not end/);
});
