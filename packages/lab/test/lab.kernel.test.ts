/**
 * Labs on a real kernel through the command line, without daemons, which other packages test.
 *
 * A lab creates its own namespaces; these tests verify that nothing outside them changes.
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { assertNothingLeft, machine } from './nothing-left.ts';

const root = { skip: process.getuid?.() === 0 ? false : 'needs root: it makes namespaces' };
const program = join(import.meta.dirname, 'netyard-lab.ts');
const folder = mkdtempSync(join(tmpdir(), 'netyard-lab-test-'));
const labName = (suffix: string): string => `test-${process.pid}-${suffix}`;

after(() => rmSync(folder, { recursive: true, force: true }));

function lab(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [program, ...args], { encoding: 'utf8', cwd: folder });
}

function writeLab(name: string, hosts: number): string {
  const file = join(folder, `${name}.yaml`);
  const lines = Array.from(
    { length: hosts },
    (_, index) => `  server${index + 1}: { address: 172.16.2.${101 + index} }`,
  );
  writeFileSync(file, `name: ${name}\nswitch: 172.16.0.0/16\nhosts:\n${lines.join('\n')}\n`);
  return file;
}

/** A lab of twelve hosts whose creation does not end by itself: a service of the last one is never ready. */
function writeEndlessLab(name: string): string {
  const file = writeLab(name, 12);
  const service = 'services: { never: { run: "sleep 1000", ready: "false" } }';
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, text.replace(/(server12: \{.*) \}/, `$1, ${service} }`));
  return file;
}

/** Waits until a lab that is being created has a host. */
async function untilMade(name: string, host: string): Promise<void> {
  while (!existsSync(`/run/netyard-lab/${name}/hosts/${host}.json`)) await pause(2);
}

test(
  'two hosts reach each other, each with its own name, /etc, processes and cgroups; lab down deletes everything',
  root,
  () => {
    const before = machine();
    const name = labName('two');
    const file = writeLab(name, 2);
    const up = lab('up', '--no-daemon', file);
    try {
      assert.equal(up.status, 0, up.stderr);
      assert.equal(machine(), before, 'the machine is unchanged');
      const inside = (line: string): string => {
        const result = lab('exec', `${name}/server1`, '--', 'sh', '-c', line);
        assert.equal(result.status, 0, `${line}: ${result.stderr}`);
        return result.stdout;
      };
      assert.equal(inside('hostname; cat /etc/hostname'), 'server1\nserver1\n');
      assert.match(inside('ip -br address'), /ens33@\S+ +UP +172\.16\.2\.101\/16/);
      assert.match(inside('ip route'), /^172\.16\.0\.0\/16 dev ens33 [^\n]*\n$/, 'no route out of the lab');
      assert.match(inside('ping -c 1 -w 60 server2'), /1 received/);
      assert.match(inside('cat /etc/hosts'), /^172\.16\.2\.102\tserver2$/m);
      assert.match(inside('ps -eo pid,args'), /^ *1 tini/m);
      assert.equal(inside('cut -d: -f3 /proc/self/cgroup | sort -u | grep -v "^/$"'), '/init\n');
      assert.equal(
        inside('echo $DOCKER_HOST $NETYARD_HOST'),
        `${'unix:///run/netyard/netyard.sock '.repeat(2).trim()}\n`,
      );
      assert.equal(inside('pwd'), `${folder}\n`);
      assert.equal(inside('touch /etc/made-in-the-lab; ip netns add r1; ls /run/netns'), 'r1\n');
      assert.ok(!existsSync('/etc/made-in-the-lab'), "a host's /etc is its own");
      const listed = lab('ls', '--format', 'json')
        .stdout.split('\n')
        .filter((line) => line.includes(name));
      assert.equal(listed.length, 2);
      assert.match(
        listed[0] ?? '',
        /"host":"server1","role":"host","addresses":\["172\.16\.2\.101\/16"\],"status":"up","daemon":"none"/,
      );
      const again = lab('up', file);
      assert.equal(again.status, 1);
      assert.match(again.stderr, /already exists/);
    } finally {
      const down = lab('down', name);
      assert.equal(down.status, 0, down.stderr);
    }
    assertNothingLeft(name, before);
    const twice = lab('down', name);
    assert.equal(twice.status, 1);
    assert.match(twice.stderr, new RegExp(`no such lab: ${name}`));
  },
);

test("exec exits with the command's code, also after a signal or when the command does not exist", root, () => {
  const name = labName('codes');
  assert.equal(lab('up', '--no-daemon', writeLab(name, 1)).status, 0);
  try {
    const host = `${name}/server1`;
    assert.equal(lab('exec', host, 'sh', '-c', 'exit 7').status, 7);
    assert.equal(lab('exec', host, '--', 'sh', '-c', 'kill -TERM $$').status, 143);
    assert.equal(lab('exec', host, 'no-such-command').status, 127);
    const nowhere = lab('exec', `${name}/unknown`, 'true');
    assert.equal(nowhere.status, 1);
    assert.match(nowhere.stderr, /no such lab host/);
  } finally {
    lab('down', name);
  }
});

test('Ctrl-C during lab up rolls the lab back', root, async () => {
  const before = machine();
  const name = labName('interrupted');
  const child = spawn(process.execPath, [program, 'up', '--no-daemon', writeEndlessLab(name)]);
  const ended = new Promise((resolve) => child.once('exit', resolve));
  await untilMade(name, 'server2');
  child.kill('SIGINT');
  assert.equal(await ended, 130);
  assertNothingLeft(name, before);
});

test('lab down deletes what a crash left behind', root, async () => {
  const before = machine();
  const name = labName('crashed');
  const child = spawn(process.execPath, [program, 'up', '--no-daemon', writeEndlessLab(name)]);
  const ended = new Promise((resolve) => child.once('exit', resolve));
  await untilMade(name, 'server2');
  child.kill('SIGKILL');
  await ended;
  assert.match(lab('ls').stdout, new RegExp(`^${name} +server1 .* broken|^${name} +server1 .* up`, 'm'));
  const down = lab('down', name);
  assert.equal(down.status, 0, down.stderr);
  assertNothingLeft(name, before);
});

test('an invalid file changes nothing', root, () => {
  const before = machine();
  const file = join(folder, 'bad.yaml');
  writeFileSync(file, 'name: bad\nswitch: 172.16.0.0/16\nhosts:\n  a: { address: 10.0.0.1/16 }\n');
  const up = lab('up', file);
  assert.equal(up.status, 1);
  assert.match(up.stderr, /bad\.yaml:4:17: hosts\.a\.address: 10\.0\.0\.1\/16 is outside the switch/);
  assertNothingLeft('bad', before);
  assert.match(lab('up', join(folder, 'none.yaml')).stderr, /cannot read .*none\.yaml/);
});

test('a failing service rolls the lab back, and the error contains its log', root, () => {
  const before = machine();
  const name = labName('fails');
  const file = join(folder, `${name}.yaml`);
  const service = 'services: { web: "echo no such port; exit 3" }';
  writeFileSync(
    file,
    `name: ${name}\nswitch: 10.0.0.0/8\nhosts: { a: { address: 10.0.0.1, daemon: false, ${service} } }\n`,
  );
  const up = lab('up', file);
  assert.equal(up.status, 1);
  assert.match(up.stderr, /service web of lab host a ended with status 3\. The end of its log:\n {2}no such port/);
  assertNothingLeft(name, before);
});

test('Ctrl-C while waiting for a service rolls the lab back', root, async () => {
  const before = machine();
  const name = labName('waits');
  const file = join(folder, `${name}.yaml`);
  const service = 'services: { web: { run: "touch {state}/runs; sleep 1000", ready: "false" } }';
  writeFileSync(
    file,
    `name: ${name}\nswitch: 10.0.0.0/8\nhosts: { a: { address: 10.0.0.1, daemon: false, ${service} } }\n`,
  );
  const child = spawn(process.execPath, [program, 'up', file]);
  const ended = new Promise((resolve) => child.once('exit', resolve));
  while (!existsSync(`/var/lib/netyard-lab/${name}/a/state/runs`)) await pause(5);
  child.kill('SIGINT');
  assert.equal(await ended, 130);
  assertNothingLeft(name, before);
});

test('link, kill and start change a lab and its listing', root, () => {
  const name = labName('changes');
  const file = writeLab(name, 2);
  assert.equal(lab('up', '--no-daemon', file).status, 0);
  const row = (): string => lab('ls').stdout.match(new RegExp(`^${name} +server2 .*$`, 'm'))?.[0] ?? '';
  try {
    const host = `${name}/server2`;
    const said = (...args: string[]): [number | null, string] => {
      const { status, stdout, stderr } = lab(...args);
      return [status, stdout + stderr];
    };
    assert.deepEqual(said('link', host, 'down'), [0, '']);
    assert.match(row(), / ens33 cut +up +none$/);
    assert.deepEqual(said('link', host, 'up'), [0, '']);
    assert.deepEqual(said('kill', host), [0, '']);
    assert.match(row(), / ens33 off +killed +none$/);
    assert.match(said('exec', host, 'true')[1], /is not running/);
    assert.deepEqual(said('start', host), [0, '']);
    assert.match(row(), / ens33 up +up +none$/);
    assert.match(
      said('link', host, 'sideways')[1],
      /invalid argument "sideways" for STATE: allowed choices are down, up/,
    );
  } finally {
    lab('down', name);
  }
});
