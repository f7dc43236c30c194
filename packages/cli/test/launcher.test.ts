/** bin/netyard: resolves links, passes options, and reports a missing installation. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

const launcher = join(import.meta.dirname, '../../../bin/netyard');
const version = (path: string, cwd = '/'): { status: number | null; stdout: string; stderr: string } =>
  spawnSync(path, ['--version'], { encoding: 'utf8', cwd, env: { PATH: '/usr/bin:/bin' } });

test('it finds the project through absolute and relative links', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'netyard-bin-'));
  t.after(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, 'a/b'), { recursive: true });
  symlinkSync(launcher, join(folder, 'a/first'));
  symlinkSync('../first', join(folder, 'a/b/second'));
  for (const [path, cwd] of [
    [launcher, '/'],
    [join(folder, 'a/b/second'), '/'],
    ['./second', join(folder, 'a/b')],
  ] as const) {
    const result = version(path, cwd);
    assert.match(result.stdout, /^Netyard version \d/, result.stderr);
  }
});

test('an option that Node has too belongs to the command', () => {
  const result = spawnSync(launcher, ['run', '--env-file', '/no/such/file', 'image'], { encoding: 'utf8' });
  assert.equal(result.status, 125);
  assert.match(result.stderr, /^netyard: open \/no\/such\/file: no such file or directory/);
});

test('without Node it names the missing program and how to install it', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'netyard-bin-'));
  t.after(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, 'bin'));
  cpSync(launcher, join(folder, 'bin/netyard'));
  const result = version(join(folder, 'bin/netyard'));
  assert.equal(result.status, 127);
  assert.match(result.stderr, /Node is not installed.*\n.*script\/bootstrap/);
});
