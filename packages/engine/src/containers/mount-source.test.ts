import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createMountSource } from './mount-source.ts';

test('a missing mount source is created with its parents, one that cannot exist is reported', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'netyard-source-'));
  t.after(() => rmSync(folder, { recursive: true }));
  createMountSource(join(folder, 'a/b/c'));
  assert.ok(statSync(join(folder, 'a/b/c')).isDirectory());
  createMountSource(join(folder, 'a/b/c'));
  writeFileSync(join(folder, 'file'), '');
  symlinkSync('loop', join(folder, 'loop'));
  const long = join(folder, 'x'.repeat(256));
  for (const [path, reason] of [
    ['/proc/netyard-test/x', 'mkdir /proc/netyard-test: no such file or directory'],
    [join(folder, 'file/x'), `mkdir ${join(folder, 'file/x')}: not a directory`],
    [join(folder, 'loop'), `mkdir ${join(folder, 'loop')}: file exists`],
    [long, `mkdir ${long}: name too long`],
  ] as const)
    assert.throws(() => createMountSource(path), {
      code: 'failed',
      message: `error while creating mount source path '${path}': ${reason}`,
    });
});
