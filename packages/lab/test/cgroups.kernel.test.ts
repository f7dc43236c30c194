/** Cgroups of labs that are created and deleted at the same time, each in a process of its own. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { readHierarchies } from '../src/cgroups.ts';

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
