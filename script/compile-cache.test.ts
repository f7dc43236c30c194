/** The cache of compiled code that script/bootstrap makes, and bin/netyard's use of it. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

const top = join(import.meta.dirname, '..');
const folder = mkdtempSync(join(tmpdir(), 'netyard-compiled-'));
after(() => rmSync(folder, { recursive: true }));
const environment = { ...process.env, NODE_COMPILE_CACHE: folder };
/** The command in script/bootstrap, with its V8 options. */
const options = /node_modules\/\.bin\/node (.*) -- \\\n\s+script\/compile-cache\.ts/.exec(
  readFileSync(join(top, 'script/bootstrap'), 'utf8'),
)?.[1];
const compile = [...(options ?? '').split(' '), '--', join(top, 'script/compile-cache.ts')];

/** Node's report about the cache, on standard error; lines of threads may be mixed. */
function report(command: string, args: readonly string[]): string {
  const env = { ...environment, NODE_DEBUG_NATIVE: 'COMPILE_CACHE' };
  const { stdout, stderr, status } = spawnSync(command, args, { env, encoding: 'utf8', maxBuffer: 2 ** 28 });
  assert.equal(status, 0, stderr.slice(-2_000));
  return `${stdout}${stderr}`;
}

test('the daemon and its threads start from the cache that bootstrap makes, without a source', () => {
  const [first = ''] = report(process.execPath, compile).match(/CommonJS \S+-thread\.cjs\.{3} no such file.*/) ?? [''];
  assert.match(first, /no such file/, 'the report of an empty cache');
  const threads = report(process.execPath, compile);
  const found = new Set(threads.match(/CommonJS \S+-thread\.cjs/g));
  assert.equal(found.size, globSync('packages/*/src/**/*-thread.ts', { cwd: top }).length, [...found].join());
  for (const text of [threads, report(join(top, 'bin/netyard'), ['daemon', '--help'])]) {
    assert.deepEqual(text.match(/.*(no such file|mismatch|rejected).*/g), null);
    assert.deepEqual(text.match(/StrippedTypeScript \S*packages\/\w+\/src\S*/g), null);
  }
});
