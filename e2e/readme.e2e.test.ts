/** Runs the commands of the READMEs unchanged, in the order of the page. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '..');
const skip = process.getuid?.() === 0 ? false : 'needs root: it creates lab hosts';
const labs = spawnSync(join(root, 'bin/netyard'), ['lab', 'ls'], { encoding: 'utf8' }).stdout ?? '';
const [, existing] = /^(tutorial|cluster) /m.exec(labs) ?? [];
const busy = existing === undefined ? false : `the lab ${existing} exists: run \`netyard lab down ${existing}\``;
const noCompose = process.env['NETYARD_COMPOSE'] ? false : 'NETYARD_COMPOSE names no docker compose';
const docker = spawnSync('docker', ['--version']).status === 0 ? false : 'needs the docker CLI';

/** The code blocks that create a lab. */
function commandsOf(file: string): string[] {
  const text = readFileSync(join(root, file), 'utf8');
  const blocks = [...text.matchAll(/```sh\n(.*?)```/gs)].map((match) => match[1] ?? '');
  const found = blocks.filter((block) => block.includes('netyard lab up'));
  assert.equal(found.length, 4, `${file} has four blocks that create a lab`);
  return found.map((block) => block.replace(/ +#.*$/gm, ''));
}

/**
 * Enters a mount namespace with an empty /run, where labs register: `lab exec server1` requires that only one lab has
 * such a host. Mounts below /run are removed first: mountinfo would list them although they are hidden.
 */
async function hideLabs(): Promise<{ enter: string[]; end: () => void }> {
  const script =
    'umount -R /run/netns /run/netyard-lab/*/switches/* 2> /dev/null; mount -t tmpfs tmpfs /run && echo ready && exec cat';
  const child = spawn('unshare', ['--mount', '--propagation', 'slave', 'sh', '-c', script], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [ready] = await once(child.stdout, 'data');
  assert.equal(String(ready), 'ready\n');
  return {
    enter: ['nsenter', `--mount=/proc/${child.pid}/ns/mnt`, `--wd=${root}`],
    end: () => child.kill('SIGKILL'),
  };
}

function run([program = '', ...options]: readonly string[], commands: string): string {
  const env = { ...process.env, PATH: `${join(root, 'bin')}:${process.env['PATH']}` };
  const { status, stdout, stderr } = spawnSync(program, [...options, 'bash', '-e', '-c', commands], {
    encoding: 'utf8',
    env,
  });
  assert.equal(status, 0, `${stdout}\n${stderr}`);
  return stdout;
}

test('both READMEs show the same commands', () => {
  assert.deepEqual(commandsOf('README.zh-CN.md'), commandsOf('README.md'));
});

test('both READMEs state the number of scenarios of the conformance table', () => {
  const [, count = ''] = /^(\d+) scenarios:/m.exec(readFileSync(join(root, 'docs/conformance.md'), 'utf8')) ?? [];
  for (const [file, text] of Object.entries({
    'README.md': `${count} scenarios`,
    'README.zh-CN.md': `${count} 个场景`,
  }))
    assert.ok(readFileSync(join(root, file), 'utf8').includes(text), `${file}: ${text}`);
});

test('the commands of the README work unchanged', { skip: skip || docker || busy }, async (context) => {
  const { enter, end } = await hideLabs();
  context.after(() => {
    try {
      run(enter, 'for lab in tutorial cluster; do netyard lab down $lab || true; done');
    } finally {
      end();
    }
  });
  const [one = '', compose = '', two = '', three = ''] = commandsOf('README.md');
  const shown = run(enter, one);
  assert.match(shown, /^192\.168\.11\.2\tweb1 [0-9a-f]{12} nginx-1$/m);
  assert.match(shown, /1 packets transmitted, 1 received/);
  assert.match(shown, /^ip netns add /m);
  await context.test('with a compose file', { skip: noCompose }, () => {
    const printed = run(enter, `script/demo-images /tmp/netyard-images\n${compose}`);
    assert.match(printed, /^fd[0-9a-f:]+ +STREAM backend$/m);
    assert.match(printed, /^172\.\d+\.\d+\.\d+ +STREAM/m);
    assert.match(printed, /1 packets transmitted, 1 received/);
    assert.match(printed, /^<title>nginx-web01<\/title>$/m);
    assert.match(printed, /^ip (-6 )?address add fd[0-9a-f:]+\/64 dev br-/m);
  });
  const peers = run(enter, two);
  assert.match(peers, /server2 .*172\.16\.2\.102/);
  assert.match(peers, /^ip route add 192\.168\.12\.0\/24 .*172\.16\.2\.102/m);
  assert.match(run(enter, three), /^node4 /m);
});
