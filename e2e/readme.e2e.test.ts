/** The READMEs' commands as they stand, in a shell, in the order in which a reader types them. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '..');
const skip = process.getuid?.() === 0 ? false : 'needs root: it makes hosts out of namespaces';
const labs = spawnSync(join(root, 'bin/netyard'), ['lab', 'ls'], { encoding: 'utf8' }).stdout ?? '';
const taken = /^tutorial /m.test(labs) ? 'a lab called tutorial stands: netyard lab down tutorial' : false;
const docker = spawnSync('docker', ['--version']).status === 0 ? false : 'needs the docker CLI';

/** The block after the heading `Try it by hand`, or what that is in another language: the one that ends a lab. */
function commandsOf(file: string): string {
  const text = readFileSync(join(root, file), 'utf8');
  const blocks = [...text.matchAll(/```sh\n(.*?)```/gs)].map((match) => match[1] ?? '');
  const found = blocks.find((block) => block.includes('netyard lab down'));
  assert.ok(found, `${file} has a block that tries a lab`);
  return found;
}

test('both READMEs show the same commands', () => {
  assert.equal(commandsOf('README.zh-CN.md'), commandsOf('README.md'));
});

test('the commands of the README work as they stand', { skip: skip || docker || taken }, () => {
  const run = spawnSync('bash', ['-e', '-c', commandsOf('README.md')], { cwd: root, encoding: 'utf8' });
  assert.equal(run.status, 0, `${run.stdout}\n${run.stderr}`);
  assert.match(run.stdout, /^172\.17\.0\.2\tweb1 [0-9a-f]{12} nginx-1$/m);
  assert.match(run.stdout, /1 packets transmitted, 1 received/);
  assert.match(run.stdout, /^ip netns add /m);
});
