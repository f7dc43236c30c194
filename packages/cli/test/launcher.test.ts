/** bin/netyard: found through links, and what it says where nothing is installed. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

const launcher = join(import.meta.dirname, '../../../bin/netyard');
const version = (path: string, cwd = '/'): { status: number | null; stdout: string; stderr: string } =>
  spawnSync(path, ['--version'], { encoding: 'utf8', cwd, env: { PATH: '/usr/bin:/bin' } });

test('through links, relative ones too', (t) => {
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

test('what Node would take for an option of its own is the command’s', () => {
  const result = spawnSync(launcher, ['run', '--env-file', '/no/such/file', 'image'], { encoding: 'utf8' });
  assert.equal(result.status, 125);
  assert.match(result.stderr, /^netyard: open \/no\/such\/file: no such file or directory/);
});

test('without Node: what is missing, and the cure', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'netyard-bin-'));
  t.after(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, 'bin'));
  cpSync(launcher, join(folder, 'bin/netyard'));
  const result = version(join(folder, 'bin/netyard'));
  assert.equal(result.status, 127);
  assert.match(result.stderr, /Node is not installed.*\n.*script\/bootstrap/);
});
