/** Cgroups of labs that are created and deleted at the same time, each in a process of its own. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { createGroups, readHierarchies } from '../src/cgroups.ts';
import { endGroup } from '../src/down.ts';

const root = { skip: process.getuid?.() === 0 ? false : 'needs root: it makes cgroups' };
const parent = `netyard-lab-test-${process.pid}`;

/** Creates and deletes one lab's cgroups again and again, and their parent whenever it is empty. */
const program = `
  const { createGroups, readHierarchies, removeEmptyGroup, removeGroups } = await import(process.argv[1]);
  const [, , parent, lab] = process.argv;
  const hierarchies = readHierarchies();
  for (let round = 0; round < 200; round += 1) {
    createGroups(hierarchies, parent + '/' + lab + '/host');
    removeGroups(hierarchies, parent + '/' + lab);
    removeEmptyGroup(hierarchies, parent);
  }`;

function churn(lab: string): Promise<string> {
  const source = join(import.meta.dirname, '../src/cgroups.ts');
  const child = spawn(process.execPath, ['--input-type=module', '-e', program, '--', source, parent, lab]);
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject).once('close', () => resolve(errors));
  });
}

test('the cgroups of several labs are created and deleted at the same time', root, async () => {
  assert.deepEqual(await Promise.all(['a', 'b', 'c'].map(churn)), ['', '', '']);
  for (const { mountPoint } of readHierarchies()) assert.ok(!existsSync(join(mountPoint, parent)), mountPoint);
});

test('processes that are frozen, as those of a paused container, end with their host', root, async () => {
  const hierarchies = readHierarchies();
  const host = `netyard-lab-frozen-${process.pid}`;
  createGroups(hierarchies, host);
  const child = spawn('sleep', ['1000']);
  const ended = new Promise((resolve) => child.once('exit', (_, signal) => resolve(signal)));
  for (const { mountPoint, version, options } of hierarchies) {
    const container = join(mountPoint, host, 'container');
    mkdirSync(container);
    if (options !== 'freezer' && version === 1) continue; // a cpuset group would need CPUs first
    writeFileSync(join(container, 'cgroup.procs'), String(child.pid));
    const [file, frozen] = version === 1 ? ['freezer.state', 'FROZEN'] : ['cgroup.freeze', '1'];
    writeFileSync(join(container, file), frozen);
  }
  await endGroup(hierarchies, host);
  assert.equal(await ended, 'SIGKILL');
  for (const { mountPoint } of hierarchies) assert.ok(!existsSync(join(mountPoint, host)), mountPoint);
});
