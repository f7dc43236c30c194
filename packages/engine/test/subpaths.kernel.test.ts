/** Parts of volumes, mounted in the mount namespace of the test. */
import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { bindMount, mount, mountFlag, unmount } from '@netyard/kernel';
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
  mount({ source: 'tmpfs', target: directory, type: 'tmpfs' });
  t.after(() => {
    unmount(directory, { lazy: true }); // with everything mounted below
    rmdirSync(directory);
  });
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

/** As on a host with systemd: the volume's file system is shared, and so is what is mounted below its part. */
function shareVolume(volume: string): string {
  mount({ source: 'tmpfs', target: volume, type: 'tmpfs' });
  mount({ target: volume, flags: mountFlag.shared });
  const below = join(volume, 'part', 'below');
  mkdirSync(below, { recursive: true });
  mount({ source: 'tmpfs', target: below, type: 'tmpfs' });
  writeFileSync(join(below, 'file'), 'below');
  return join(below, 'file');
}

test('what the host mounted below a part stays mounted when the part is released', host, (t) => {
  const { volume, own, part } = openSubject(t);
  const below = shareVolume(volume);
  const { mounts, release } = new Subpaths(own, logger).mount({ mounts: [part('part')] });
  assert.equal(readFileSync(join(mounts[0]?.source ?? '', 'below', 'file'), 'utf8'), 'below');
  release();
  assert.deepEqual(readdirSync(own), []);
  assert.ok(existsSync(below));
});

test('it also stays when the daemon was killed before it had changed the propagation', host, (t) => {
  const { volume, own } = openSubject(t);
  const below = shareVolume(volume);
  mkdirSync(join(own, '1'), { recursive: true });
  bindMount(join(volume, 'part'), join(own, '1'), { recursive: true });
  new Subpaths(own, logger).removeAll();
  assert.deepEqual(readdirSync(own), []);
  assert.ok(existsSync(below));
});
