import assert from 'node:assert/strict';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { pack } from 'tar-stream';
import { packPath } from './pack.ts';
import { assertsDirectory, parseCopyPlace, planTarget, rebase, splitPath } from './paths.ts';
import { unpack } from './unpack.ts';

const temporary = (t: TestContext): string => {
  const folder = mkdtempSync(join(tmpdir(), 'netyard-copy-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
};

test('a copy argument is a container path, a local path or -', () => {
  assert.deepEqual(parseCopyPlace('web:/a:b'), { container: 'web', path: '/a:b' });
  for (const path of ['/a:b', './a:b', '-', 'plain'])
    assert.deepEqual(parseCopyPlace(path), { container: undefined, path });
  assert.deepEqual(splitPath('/a/b/'), { folder: '/a', base: 'b' });
  assert.deepEqual(splitPath('/a'), { folder: '/', base: 'a' });
  assert.deepEqual(splitPath('dir/.'), { folder: 'dir', base: '.' });
  assert.deepEqual(['/a/', '/a/.', '/a', 'a.'].map(assertsDirectory), [true, true, false, false]);
});

test('the target has the folder and name of docker’s rules', () => {
  const file = { isDirectory: false };
  const folder = { isDirectory: true };
  const at = (path: string, exists: boolean, isDirectory = false) => ({ path, exists, isDirectory });
  assert.deepEqual(planTarget(file, at('/d', true, true)), { folder: '/d', name: undefined });
  assert.deepEqual(planTarget(file, at('/d/new', false)), { folder: '/d', name: 'new' });
  assert.deepEqual(planTarget(folder, at('/d/new/', false)), { folder: '/d', name: 'new' });
  assert.throws(() => planTarget(folder, at('/f', true)), /cannot copy directory/);
  assert.throws(() => planTarget(file, at('/none/', false)), /no such directory/);
  assert.deepEqual(
    ['etc/', 'etc/a', 'etcetera'].map((name) => rebase(name, 'etc', 'new')),
    ['new', 'new/a', 'etcetera'],
  );
  assert.deepEqual(
    ['./', './a'].map((name) => rebase(name, '.', 'new')),
    ['new', 'new/a'],
  );
  assert.equal(rebase('etc/a', 'etc', undefined), 'etc/a');
});

test('a folder is unchanged after packing and unpacking', async (t) => {
  const folder = temporary(t);
  mkdirSync(join(folder, 'from/empty'), { recursive: true });
  writeFileSync(join(folder, 'from/run.sh'), '#!/bin/sh\n', { mode: 0o755 });
  writeFileSync(join(folder, 'from/nothing'), '');
  symlinkSync('run.sh', join(folder, 'from/link'));
  await unpack(packPath(join(folder, 'from'), 'from', false), folder, (name) => rebase(name, 'from', 'to'));
  assert.equal(readFileSync(join(folder, 'to/run.sh'), 'utf8'), '#!/bin/sh\n');
  assert.equal(lstatSync(join(folder, 'to/run.sh')).mode & 0o777, 0o755);
  assert.equal(lstatSync(join(folder, 'to/nothing')).size, 0);
  assert.equal(readlinkSync(join(folder, 'to/link')), 'run.sh');
  assert.ok(existsSync(join(folder, 'to/empty')));
});

test('an archive cannot write outside of its folder', async (t) => {
  const folder = temporary(t);
  const inside = join(folder, 'inside');
  mkdirSync(inside);
  const up = pack();
  up.entry({ name: '../escaped' }, 'x');
  up.finalize();
  await assert.rejects(
    unpack(up as AsyncIterable<Uint8Array>, inside, (name) => name),
    /is outside of the destination/,
  );
  const through = pack();
  through.entry({ name: 'door', type: 'symlink', linkname: '..' });
  through.entry({ name: 'door/escaped' }, 'x');
  through.finalize();
  await assert.rejects(
    unpack(through as AsyncIterable<Uint8Array>, inside, (name) => name),
    /leads through a symbolic link/,
  );
  const twice = pack();
  twice.entry({ name: 'gate', type: 'symlink', linkname: '..' });
  twice.entry({ name: 'second-name', type: 'link', linkname: 'gate' });
  twice.entry({ name: 'second-name/escaped' }, 'x');
  twice.finalize();
  await assert.rejects(
    unpack(twice as AsyncIterable<Uint8Array>, inside, (name) => name),
    /leads through a symbolic link/,
  );
  const absolute = pack();
  absolute.entry({ name: '/placed' }, 'x');
  absolute.finalize();
  await unpack(absolute as AsyncIterable<Uint8Array>, inside, (name) => name);
  assert.ok(existsSync(join(inside, 'placed')));
  assert.ok(!existsSync(join(folder, 'escaped')));
});
