/** Parts of volumes, mounted in the mount namespace of the test. */
import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { inFreshHost } from '@netyard/testkit';
import type { ResolvedMount } from '../src/model.ts';
import { Subpaths } from '../src/volumes/subpaths.ts';

const host = inFreshHost(import.meta.url);
const logger = { debug: fail, info: fail, warn: fail, error: fail };

function fail(message: string): never {
  assert.fail(message);
}

function openSubject(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), 'netyard-subpaths-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const volume = join(directory, 'volume');
  mkdirSync(join(volume, 'part'), { recursive: true });
  writeFileSync(join(volume, 'part', 'file'), 'content');
  const own = join(directory, 'own');
  const part = (subpath: string): ResolvedMount => ({
    ...{ type: 'volume', source: volume, target: '/x', mode: 'z', readOnly: false, propagation: '', options: [] },
    subpath,
  });
  return { volume, own, part };
}

test('a part of a volume is mounted until it is released, and its content stays', host, (t) => {
  const { volume, own, part } = openSubject(t);
  const subpaths = new Subpaths(own, logger);
  const { mounts, release } = subpaths.mount({ mounts: [part('part'), part('part/file')] });
  assert.equal(readFileSync(join(mounts[0]?.source ?? '', 'file'), 'utf8'), 'content');
  assert.equal(readFileSync(mounts[1]?.source ?? '', 'utf8'), 'content');
  release();
  assert.deepEqual(readdirSync(own), []);
  assert.ok(existsSync(join(volume, 'part', 'file')));
});

test('what a killed daemon left mounted is unmounted, without its content', host, (t) => {
  const { volume, own, part } = openSubject(t);
  new Subpaths(own, logger).mount({ mounts: [part('part'), part('part/file')] });
  new Subpaths(own, logger).removeAll();
  assert.deepEqual(readdirSync(own), []);
  assert.equal(readFileSync(join(volume, 'part', 'file'), 'utf8'), 'content');
});

test('a failure leaves nothing mounted, and links lead nowhere but into the volume', host, (t) => {
  const { volume, own, part } = openSubject(t);
  symlinkSync('/etc', join(volume, 'outside'));
  for (const [path, message] of [
    ['outside', /escapes the base directory/],
    ['outside/passwd', /escapes the base directory/],
    ['none', /no such file or directory/],
  ] as const) {
    assert.throws(() => new Subpaths(own, logger).mount({ mounts: [part('part'), part(path)] }), message);
    assert.deepEqual(readdirSync(own), []);
  }
});
