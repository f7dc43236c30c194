import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { isNetyardError } from '@netyard/core';
import { unmount } from '@netyard/kernel';
import { inFreshHost } from '@netyard/testkit';
import { parseCgroupMounts } from '../src/tasks/cgroups.ts';
import { findOciRuntimes, pickRuntime } from '../src/tasks/runtimes.ts';

const host = inFreshHost(import.meta.url);
const searchPath = '/usr/sbin:/usr/bin:/sbin:/bin';
const chosen = async (): Promise<string> => (await findOciRuntimes('', searchPath)).default.name;

test('crun is the default where it works, runc on hosts with v1 and v2 cgroups side by side', host, async () => {
  const { unified } = parseCgroupMounts(readFileSync('/proc/self/mountinfo', 'utf8'));
  if (unified !== undefined) {
    assert.equal(await chosen(), 'runc');
    unmount(unified);
  }
  assert.equal(await chosen(), 'crun');
});

test('a runtime is found by name or path; a missing one is reported', host, async () => {
  const runtimes = await findOciRuntimes('runc', searchPath);
  assert.equal(runtimes.default.name, 'runc');
  assert.match(runtimes.default.version, /^\d+\.\d+/);
  assert.equal(pickRuntime(runtimes, 'crun').path, '/usr/bin/crun');
  assert.equal(pickRuntime(runtimes, 'io.containerd.runc.v2'), runtimes.default);
  assert.throws(() => pickRuntime(runtimes, 'fast'), /unknown or invalid runtime name: fast/);
  for (const name of ['fast', '/usr/bin/fast'])
    await assert.rejects(findOciRuntimes(name, searchPath), (error) => isNetyardError(error, 'unavailable'));
  await assert.rejects(findOciRuntimes('', '/nowhere'), /there is no OCI runtime/);
});
