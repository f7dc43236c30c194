/** Which group above those of containers passes its CPUs on. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { CgroupMounts } from './cgroups.ts';
import { ParentCgroup } from './parent-cgroup.ts';

const switchFile = 'cgroup.clone_children';

function openMounts(t: TestContext, version: '1' | '2' = '1'): { folder: string; mounts: CgroupMounts } {
  const folder = mkdtempSync(join(tmpdir(), 'netyard-cpuset-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return { folder, mounts: { version, mountPoints: new Map([[version === '1' ? 'cpuset' : '', folder]]) } };
}

test('a missing parent group is created once, and passes its CPUs on', (t) => {
  const { folder, mounts } = openMounts(t);
  const group = new ParentCgroup(mounts, '/containers');
  group.prepare('/containers/a');
  assert.equal(readFileSync(join(folder, 'containers', switchFile), 'utf8'), '1');
  rmSync(join(folder, 'containers'), { recursive: true });
  group.prepare('/containers/b');
  assert.deepEqual(readdirSync(folder), []);
});

test('an existing group passes its CPUs on only if it has the name of Netyard’s', (t) => {
  const { folder, mounts } = openMounts(t);
  for (const name of ['netyard', 'machine']) {
    mkdirSync(join(folder, name));
    new ParentCgroup(mounts, `/${name}`).prepare(`/${name}/a`);
  }
  assert.equal(readFileSync(join(folder, 'netyard', switchFile), 'utf8'), '1');
  assert.equal(existsSync(join(folder, 'machine', switchFile)), false);
});

test('parents of single containers, missing parents of the parent and v2 stay as they are', (t) => {
  const { folder, mounts } = openMounts(t);
  new ParentCgroup(mounts, '/netyard').prepare('/own/a');
  new ParentCgroup(mounts, '/missing/netyard').prepare('/missing/netyard/a');
  new ParentCgroup(mounts, undefined).prepare('/netyard/a');
  assert.deepEqual(readdirSync(folder), []);
  const unified = openMounts(t, '2');
  new ParentCgroup(unified.mounts, '/netyard').prepare('/netyard/a');
  assert.deepEqual(readdirSync(unified.folder), []);
});
