/**
 * Races mounts, copies and working folders below a shared volume against a process that keeps replacing folders and
 * files by symbolic links: nothing outside a container's root is created, mounted, read or changed.
 * NETYARD_RACE_ROUNDS=2000 is the long version.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { cannotRun } from './support/engines.ts';
import { openHost, type TestHost } from './support/host.ts';

const skip = cannotRun('netyard');
const rounds = Number(process.env['NETYARD_RACE_ROUNDS'] ?? '8');
const copies = Number(process.env['NETYARD_RACE_ROUNDS'] ?? '20');
let host: TestHost;
const flippers: ChildProcess[] = [];
let initial = '';

/** Targets of symbolic links in a container that would lead to a folder of the host. */
const targets = [
  '/run/victim',
  '../../../../../../../../run/victim',
  '/proc/self/root/run/victim',
  '/proc/1/root/run/victim',
];

/** A program that replaces `NAME` by each link and restores the original, as fast as it can. */
const flip = `
  const { renameSync } = require('node:fs');
  const [folder, name, count] = process.argv.slice(1);
  process.chdir(folder);
  let spare = 0;
  const put = (from) => {
    try { renameSync(from, name); } catch { renameSync(name, 'spare' + spare++); renameSync(from, name); }
  };
  for (;;) for (let target = 0; target < Number(count); target++) {
    try {
      renameSync(name, 'real'); put('link' + target); renameSync(name, 'link' + target); put('real');
    } catch {}
  }`;

/** Fills a volume and starts to replace `name` in it by links to the victim (for a file: to the file in it). */
async function startFlipper(volume: string, name: string, kind: 'file' | 'folder'): Promise<void> {
  await host.docker('volume', 'create', volume);
  const folder = await host.docker('volume', 'inspect', '-f', '{{.Mountpoint}}', volume);
  if (kind === 'folder') mkdirSync(join(folder, name));
  else writeFileSync(join(folder, name), 'inside\n');
  const suffix = kind === 'file' ? '/file' : '';
  for (const [index, target] of targets.entries()) symlinkSync(`${target}${suffix}`, join(folder, `link${index}`));
  flippers.push(spawn(process.execPath, ['-e', flip, folder, name, String(targets.length)], { stdio: 'ignore' }));
}

/** The victim's content and attributes, and the host's mounts below it. */
const state = (): Promise<string> =>
  host.sh('cd /run/victim; cat file; stat -c "%n %a %u:%g %s %h %y %i" . *; grep victim /proc/self/mountinfo; ls -A');

before(async () => {
  if (skip !== false) return;
  host = await openHost('netyard', { images: ['netyard-test'] });
  await host.sh(
    'mkdir -p /run/victim /run/bound && echo of-the-host > /run/victim/file && echo planted > /run/planted',
  );
  await host.sh(
    'cd /run && mkdir t && cp planted t/planted && cp planted t/file && tar -C t -cf planted.tar planted file',
  );
  initial = await state();
});
after(async () => {
  for (const flipper of flippers) flipper.kill('SIGKILL');
  await host?.close();
});

test(`${rounds} starts with mounts below a volume whose folders become links leave the host unchanged`, {
  skip,
}, async () => {
  await startFlipper('shared', 'dir', 'folder');
  await startFlipper('settings', 'hosts', 'file');
  await startFlipper('resolver', 'resolv.conf', 'file');
  const mounts = '-v shared:/x -v other:/x/dir/volume -v /run/bound:/x/dir/bound --tmpfs /x/dir/tmpfs -w /x/dir/here';
  const script = `
    i=0
    while [ $i -lt ${rounds} ]; do
      docker run --rm ${mounts} netyard-test true >> /run/output 2>&1; echo $?
      docker run --rm -v settings:/etc netyard-test true >> /run/output 2>&1
      docker run --rm -v resolver:/etc -v /run/planted:/etc/hosts netyard-test true >> /run/output 2>&1
      i=$((i+1))
    done | sort | uniq -c`;
  const statuses = await host.sh(script);
  assert.equal(await state(), initial, statuses);
  assert.deepEqual(
    flippers.map(({ exitCode }) => exitCode),
    [null, null, null],
  );
});

test(`${copies} copies into and out of a stopped container with that volume leave the host unchanged`, {
  skip,
}, async () => {
  await host.docker('create', '--name', 'still', '-v', 'shared:/x', '-v', 'other:/x/dir/sub', 'netyard-test', 'true');
  const curl = (path: string, options: string): string =>
    `curl -s --unix-socket /run/netyard/netyard.sock ${options} ` +
    `'http://d/containers/still/archive?path=${encodeURIComponent(path)}&round=[1-${copies}]'`;
  for (const path of ['/x/dir', '/x/dir/sub', '/x']) {
    await host.sh(`${curl(path, '-X PUT --data-binary @/run/planted.tar -o /dev/null')} || true`);
    await host.sh(`${curl(path, '')} > /run/copied || true`);
    assert.equal(await host.sh('grep -ac of-the-host /run/copied || true'), '0\n', path);
    assert.equal(await state(), initial, path);
  }
  const view = await host.sh('grep -c /overlay/temporary/ /proc/self/mountinfo || true');
  assert.equal(view, '0\n', 'no temporary view stays mounted');
});

test('volumes, working folders and copies do not leave the root through a link in an image', {
  skip,
}, async () => {
  for (const [index, target] of ['/run/victim', '/proc/self/root/run/victim', '/proc/1/root/run/victim'].entries()) {
    const image = `link${index}`;
    await host.docker('run', '--name', image, 'netyard-test', 'ln', '-s', target, '/data');
    await host.sh(`docker export ${image} | docker import - ${image}:1`);
    await host.tryDocker('create', '--name', `c${index}`, '-v', `filled${index}:/data`, `${image}:1`, '/bin/true');
    await host.tryDocker('run', '--rm', '-v', `filled${index}:/data`, '-w', '/data/new', `${image}:1`, '/bin/true');
    await host.tryDocker('create', '-w', '/data/new', `${image}:1`, '/bin/true');
    const folder = await host.docker('volume', 'inspect', '-f', '{{.Mountpoint}}', `filled${index}`);
    assert.equal(await host.sh(`ls -A ${folder} | grep -c file || true`), '0\n', target);
    await host.sh(
      `docker cp ${image}:/data/file - > /run/copied 2>&1; docker cp /run/planted ${image}:/data/file || true`,
    );
    assert.equal(await host.sh('grep -ac of-the-host /run/copied || true'), '0\n', target);
    assert.equal(await state(), initial, target);
  }
});

test('cp, run -w and exec -w do not leave the root through links in /proc', { skip }, async () => {
  await host.docker('run', '-d', '--name', 'runs', 'netyard-test', 'sleep', '1000');
  const roots = ['/proc/self/root', '/proc/1/root', '/proc/thread-self/root', '/proc/self/cwd', '/proc/self/fd/7'];
  for (const root of roots) {
    await host.sh(`docker cp runs:${root}/run/victim/file - > /run/copied 2>&1 || true`);
    assert.equal(await host.sh('grep -ac of-the-host /run/copied || true'), '0\n', root);
    await host.sh(`docker cp /run/planted runs:${root}/run/victim/file > /dev/null 2>&1 || true`);
    assert.equal(await state(), initial, root);
  }
  const up = ['.', '..', '../..', '../../..', '../../../..', '../../../../../../..'];
  const read = `cat ${up.map((path) => `${path}/run/victim/file`).join(' ')} 2>/dev/null; true`;
  for (let fd = 0; fd < 24; fd += 1) {
    const exec = await host.tryDocker('exec', '-w', `/proc/self/fd/${fd}`, 'runs', 'sh', '-c', read);
    assert.doesNotMatch(exec.stdout, /of-the-host/, `exec -w /proc/self/fd/${fd}`);
    if (fd % 3 !== 0) continue;
    const run = await host.tryDocker('run', '--rm', '-w', `/proc/self/fd/${fd}`, 'netyard-test', 'sh', '-c', read);
    assert.doesNotMatch(run.stdout, /of-the-host/, `run -w /proc/self/fd/${fd}`);
  }
  assert.equal(await state(), initial);
});
