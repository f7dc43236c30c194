/** The `ns` commands on a real kernel: the steps of chapter 1, and the equivalent commands that they print. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { inFreshHost } from '@netyard/testkit';

const host = inFreshHost(import.meta.url);
const launcher = join(import.meta.dirname, '../../../bin/netyard');

const ns = (...words: string[]): string => execFileSync(launcher, ['ns', ...words], { encoding: 'utf8' });
const sh = (line: string): string => execFileSync('sh', ['-ec', line], { encoding: 'utf8' });

test('the steps of chapter 1 have effects that ip shows', host, () => {
  ns('add', 'r1', 'r2');
  ns('veth', 'veth1.1', 'veth1.2');
  assert.match(sh('ip -br link show veth1.2'), /^veth1\.2@veth1\.1 +DOWN/);
  ns('move', 'veth1.2', 'r2');
  assert.match(sh('ip -n r2 -br link'), /veth1\.2/);
  ns('rename', 'r2:veth1.2', 'eth0');
  ns('up', ':veth1.1=10.1.1.1/24');
  ns('addr', 'r2:eth0=10.1.1.2/24');
  ns('up', 'r2:eth0');
  assert.match(sh('ping -c 1 -w 60 10.1.1.2'), / 1 received/);
  ns('move', 'veth1.1', 'r1:eth0');
  ns('up', 'r1:eth0=10.1.1.1/24');
  assert.match(ns('exec', 'r1', 'ping', '-c', '1', '-w', '60', '10.1.1.2'), / 1 received/);
  assert.match(ns('ls'), /^r1 +lo,eth0 +eth0=10\.1\.1\.1\/24/m);
  ns('move', 'r1:eth0', ':back');
  assert.match(sh('ip -br link show back'), /^back/);
  ns('rm', 'r1', 'r2');
  assert.equal(ns('ls', '-q'), '');
});

test('the commands printed by --dry-run have the same effect in a shell', host, () => {
  ns('add', 'a', 'b', 'c', 'd');
  const words = ['link', 'a:eth0=10.2.0.1/24', 'b:eth0=10.2.0.2/24'];
  const commands = ns(words[0] ?? '', '--dry-run', ...words.slice(1));
  assert.equal(sh('ip -n a -br link'), sh('ip -n c -br link')); // nothing was changed
  ns(...words);
  sh(commands.replaceAll('-n a', '-n c').replaceAll('-n b', '-n d').replaceAll('netns b', 'netns d'));
  const shown = (name: string): string =>
    sh(`ip -n ${name} -br address show eth0`)
      .replace(/@\S+/, '')
      .replace(/fe80\S+/, '');
  assert.deepEqual([shown('c'), shown('d')], [shown('a'), shown('b')]);
  ns('rm', 'a', 'b', 'c', 'd');
});

test('a missing interface is reported with ip’s message', host, () => {
  ns('add', 'r1');
  const refused = (...words: string[]): string => {
    const { status, stderr } = spawnSync(launcher, ['ns', ...words], { encoding: 'utf8' });
    assert.equal(status, 1);
    return stderr;
  };
  for (const words of [
    ['up', 'eth7'],
    ['addr', 'eth7=10.3.0.1/24'],
    ['rename', 'eth7', 'eth8'],
    ['move', 'eth7', 'r1'],
  ])
    assert.equal(refused(...words), 'Cannot find device "eth7"\n', words.join(' '));
  assert.equal(refused('up', 'r1:eth7'), 'Cannot find device "eth7" in namespace r1\n');
  assert.match(refused('up', 'r9:eth7'), /^Cannot open network namespace "r9": No such file or directory\n/);
  ns('rm', 'r1');
});

test('an existing interface is not modified', host, () => {
  ns('add', 'r1');
  sh('ip -n r1 link add eth0 type veth peer name other');
  const before = sh('ip -n r1 -o link');
  const result = spawnSync(launcher, ['ns', 'link', 'r1:eth0', ':outside'], { encoding: 'utf8' });
  assert.equal(result.status, 1);
  assert.match(result.stderr, /interface eth0 in namespace r1: File exists/);
  assert.equal(sh('ip -n r1 -o link'), before);
  ns('rm', 'r1');
});
