/**
 * Labs on a real kernel, as their user sees them: without daemons, which are another box's.
 *
 * A lab makes its own namespaces; what this file looks at outside of them is that nothing changed there.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';

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

/** What a lab must never change: the machine's own links, addresses, routes, rules, tables, forwarding. */
function machine(): string {
  const commands =
    'ip -o link | sed "s/ state .*//"; ip -o address; ip route; ip rule; nft list tables; sysctl net.ipv4.ip_forward';
  return execFileSync('sh', ['-c', commands], { encoding: 'utf8' });
}

function assertNothingLeft(name: string, before: string): void {
  assert.equal(machine(), before);
  assert.ok(!existsSync(`/run/netyard-lab/${name}`), 'the run folder is gone');
  assert.ok(!existsSync(`/var/lib/netyard-lab/${name}`), 'the data folder is gone');
  assert.ok(!readFileSync('/proc/self/mountinfo', 'utf8').includes(`/${name}/`), 'no mount is left');
  assert.equal(execFileSync('find', ['/sys/fs/cgroup', '-name', name], { encoding: 'utf8' }), '', 'no cgroup is left');
  const processes = execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' });
  assert.ok(!processes.includes(`netyard-lab/${name}/`), processes);
}

/** Waits until a lab that is being made has a host. */
async function untilMade(name: string, host: string): Promise<void> {
  while (!existsSync(`/run/netyard-lab/${name}/hosts/${host}.json`)) await pause(2);
}

test('two hosts see each other, each with its own name, /etc, processes and cgroups; then all is gone', root, () => {
  const before = machine();
  const name = labName('two');
  const file = writeLab(name, 2);
  const up = lab('up', '--no-daemon', file);
  try {
    assert.equal(up.status, 0, up.stderr);
    assert.equal(machine(), before, 'the machine itself did not change');
    const inside = (line: string): string => {
      const result = lab('exec', `${name}/server1`, '--', 'sh', '-c', line);
      assert.equal(result.status, 0, `${line}: ${result.stderr}`);
      return result.stdout;
    };
    assert.equal(inside('hostname; cat /etc/hostname'), 'server1\nserver1\n');
    assert.match(inside('ip -br address'), /ens33@\S+ +UP +172\.16\.2\.101\/16/);
    assert.match(inside('ip route'), /^172\.16\.0\.0\/16 dev ens33 [^\n]*\n$/, 'no way out of the lab');
    assert.match(inside('ping -c 1 -W 2 server2'), /1 received/);
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
    assert.match(again.stderr, /is there already/);
  } finally {
    const down = lab('down', name);
    assert.equal(down.status, 0, down.stderr);
  }
  assertNothingLeft(name, before);
  const twice = lab('down', name);
  assert.equal(twice.status, 1);
  assert.match(twice.stderr, new RegExp(`no such lab: ${name}`));
});

test("the exit code of exec is the command's, also by a signal or when there is no such command", root, () => {
  const name = labName('codes');
  assert.equal(lab('up', '--no-daemon', writeLab(name, 1)).status, 0);
  try {
    const host = `${name}/server1`;
    assert.equal(lab('exec', host, 'sh', '-c', 'exit 7').status, 7);
    assert.equal(lab('exec', host, '--', 'sh', '-c', 'kill -TERM $$').status, 143);
    assert.equal(lab('exec', host, 'no-such-command').status, 127);
    const nowhere = lab('exec', `${name}/nobody`, 'true');
    assert.equal(nowhere.status, 1);
    assert.match(nowhere.stderr, /no such lab host/);
  } finally {
    lab('down', name);
  }
});

test('Ctrl-C while it is made undoes it', root, async () => {
  const before = machine();
  const name = labName('interrupted');
  const child = spawn(process.execPath, [program, 'up', '--no-daemon', writeLab(name, 12)]);
  const ended = new Promise((resolve) => child.once('exit', resolve));
  await untilMade(name, 'server2');
  child.kill('SIGINT');
  assert.equal(await ended, 130);
  assertNothingLeft(name, before);
});

test('what a crash left half-made, down takes away', root, async () => {
  const before = machine();
  const name = labName('crashed');
  const child = spawn(process.execPath, [program, 'up', '--no-daemon', writeLab(name, 12)]);
  const ended = new Promise((resolve) => child.once('exit', resolve));
  await untilMade(name, 'server2');
  child.kill('SIGKILL');
  await ended;
  assert.match(lab('ls').stdout, new RegExp(`^${name} +server1 .* broken|^${name} +server1 .* up`, 'm'));
  const down = lab('down', name);
  assert.equal(down.status, 0, down.stderr);
  assertNothingLeft(name, before);
});

test('a bad file touches nothing', root, () => {
  const before = machine();
  const file = join(folder, 'bad.yaml');
  writeFileSync(file, 'name: bad\nswitch: 172.16.0.0/16\nhosts:\n  a: { address: 10.0.0.1/16 }\n');
  const up = lab('up', file);
  assert.equal(up.status, 1);
  assert.match(up.stderr, /bad\.yaml:4:17: hosts\.a\.address: 10\.0\.0\.1\/16 is outside the switch/);
  assertNothingLeft('bad', before);
  assert.match(lab('up', join(folder, 'none.yaml')).stderr, /cannot read .*none\.yaml/);
});

/** What a line prints in a host; it must succeed. */
function inside(host: string, line: string): string {
  const result = lab('exec', host, '--', 'sh', '-c', line);
  assert.equal(result.status, 0, `${host}: ${line}: ${result.stdout}${result.stderr}`);
  return result.stdout;
}

const reaches = (host: string, address: string): boolean =>
  lab('exec', host, '--', 'ping', '-c', '1', '-W', '1', address).status === 0;

/** After a cable or a host came back: whoever asked in vain before may wait a moment before it asks again. */
const comesBack = (host: string, address: string): boolean =>
  lab('exec', host, '--', 'sh', '-c', `for i in 1 2 3 4 5 6; do ping -c 1 -W 1 ${address} && exit 0; done; exit 1`)
    .status === 0;

function must(...args: string[]): void {
  const result = lab(...args);
  assert.equal(result.status, 0, `${args.join(' ')}: ${result.stderr}`);
}

/** A host of `lab ls --format json`. */
function listed(name: string, host: string): Record<string, unknown> {
  const lines = lab('ls', '--format', 'json').stdout.trim().split('\n');
  const hosts = lines.map((line): Record<string, unknown> => JSON.parse(line));
  return hosts.find((one) => one['lab'] === name && one['host'] === host) ?? {};
}

const sites = (name: string): string => `
name: ${name}
switches: { paris: 172.16.1.0/24, core: 10.255.0.0/24, oslo: { prefix: 172.16.3.0/24, mtu: 1400 } }
routers:
  r-paris: { paris: 172.16.1.1, core: 10.255.0.1 }
  r-oslo: { oslo: 172.16.3.1, core: 10.255.0.3 }
hosts:
  a: { switch: paris, address: 172.16.1.11, gateway: r-paris, daemon: false }
  b:
    switch: oslo
    address: 172.16.3.11
    gateway: 172.16.3.1
    daemon: false
    services:
      beat: { run: "while sleep 0.05; do date >> {state}/beat; done", ready: "[ -s {state}/beat ]" }
`;

test('sites behind routers: cables that are cut, hosts that lose their power and come up again', root, async (t) => {
  const before = machine();
  const name = labName('sites');
  const file = join(folder, `${name}.yaml`);
  writeFileSync(file, sites(name));
  const [a, b] = [`${name}/a`, `${name}/b`];
  must('up', file);
  try {
    await t.test('packets go by the routers, and hear of a narrow link', () => {
      assert.equal(machine(), before, 'the machine itself did not change');
      assert.ok(reaches(a, '172.16.3.11'));
      assert.match(inside(a, 'ping -c 1 -W 1 172.16.3.11'), /ttl=62/, 'two routers between');
      assert.match(inside(b, 'ip -o link show ens33'), / mtu 1400 /);
      assert.match(inside(`${name}/r-oslo`, 'ip route'), /^172\.16\.1\.0\/24 via 10\.255\.0\.1 dev core $/m);
      const big = lab('exec', a, '--', 'ping', '-c', '1', '-W', '1', '-M', 'do', '-s', '1450', '172.16.3.11');
      assert.match(big.stdout, /From 10\.255\.0\.3 .*mtu = 1400/);
      assert.equal(lab('exec', a, '--', 'ip', 'route', 'get', '9.9.9.9').status, 0);
      assert.ok(!reaches(a, '9.9.9.9'), 'the routers know no way out');
    });

    await t.test('a cable cut and restored: the host keeps its address and sees no carrier', () => {
      must('link', a, 'down');
      assert.match(inside(a, 'ip -o link show ens33'), /NO-CARRIER/);
      assert.match(inside(a, 'ip -br address show ens33'), /172\.16\.1\.11\/24/);
      assert.ok(!reaches(b, '172.16.1.11'));
      must('link', a, 'down');
      assert.match(JSON.stringify(listed(name, 'a')['links']), /"link":"ens33".*"state":"cut"/);
      must('link', a, 'up');
      assert.ok(comesBack(b, '172.16.1.11'));
      must('link', `${name}/r-oslo:core`, 'down');
      assert.ok(!reaches(b, '172.16.1.11'));
      must('link', `${name}/r-oslo:core`, 'up');
      assert.ok(comesBack(b, '172.16.1.11'));
      const several = lab('link', `${name}/r-oslo`, 'down');
      assert.match(several.stderr, /r-oslo has several cables: .*r-oslo:oslo, .*r-oslo:core/);
      assert.match(lab('link', `${a}:core`, 'down').stderr, /has no cable to core: it is on paris/);
    });

    await t.test('a service killed and started', () => {
      assert.deepEqual(listed(name, 'b')['services'], { beat: 'runs' });
      must('kill', `${b}:beat`);
      assert.deepEqual(listed(name, 'b')['services'], { beat: 'ended' });
      assert.match(lab('kill', `${b}:beat`).stderr, /beat of lab host .*\/b does not run/);
      must('start', `${b}:beat`);
      assert.deepEqual(listed(name, 'b')['services'], { beat: 'runs' });
      assert.match(lab('start', `${b}:beat`).stderr, /runs already/);
      assert.match(lab('kill', `${b}:daemon`).stderr, /has no program daemon: it has beat/);
    });

    await t.test('a host killed: all of it is gone at once; started: its files are there, and its network card', () => {
      const card = inside(b, 'cat /sys/class/net/ens33/address');
      inside(b, 'echo kept > /etc/kept; touch /run/not-kept; ip netns add r1; ip link add d0 type bridge');
      const size = inside(b, 'wc -l < /var/lib/netyard-lab/$NETYARD_LAB/b/state/beat');
      must('kill', b);
      assert.ok(!reaches(a, '172.16.3.11'));
      const off = listed(name, 'b');
      assert.deepEqual([off['status'], off['services']], ['killed', { beat: 'ended' }]);
      assert.match(JSON.stringify(off['links']), /"state":"off"/);
      assert.match(lab('exec', b, 'true').stderr, /does not run/);
      assert.match(lab('kill', b).stderr, /does not run/);
      const groups = execFileSync('find', ['/sys/fs/cgroup', '-type', 'd', '-path', `*/${name}/b`], {
        encoding: 'utf8',
      });
      assert.equal(groups, '');
      must('link', b, 'down');
      must('start', b);
      assert.match(lab('start', b).stderr, /runs already/);
      assert.ok(!reaches(a, '172.16.3.11'), 'its cable was cut while it was off');
      must('link', b, 'up');
      assert.ok(comesBack(a, '172.16.3.11'));
      assert.equal(inside(b, 'cat /etc/kept; ls /run/netns; ls /run | grep not-kept || :'), 'kept\n');
      assert.equal(inside(b, 'cat /sys/class/net/ens33/address'), card);
      assert.ok(Number(inside(b, 'wc -l < /var/lib/netyard-lab/$NETYARD_LAB/b/state/beat')) > Number(size));
      assert.equal(lab('exec', b, 'ip', 'link', 'show', 'd0').status, 1);
    });

    await t.test('a router killed and started, and two at a time', () => {
      must('kill', `${name}/r-oslo`, `${name}/r-paris`);
      assert.ok(!reaches(a, '172.16.3.11'));
      must('start', `${name}/r-oslo`, `${name}/r-paris`);
      assert.ok(comesBack(a, '172.16.3.11'));
    });

    await t.test('a host of which another lab has one, too: both are named', () => {
      const other = labName('same');
      writeFileSync(
        join(folder, 'same.yaml'),
        `name: ${other}\nswitch: 10.0.0.0/8\nhosts: { a: { address: 10.0.0.1, daemon: false } }\n`,
      );
      must('up', 'same.yaml');
      try {
        const both = lab('link', 'a', 'down');
        assert.match(both.stderr, new RegExp(`several labs have a host a: .*${name}/a`));
        assert.match(both.stderr, new RegExp(`${other}/a`));
      } finally {
        must('down', other);
      }
    });
  } finally {
    must('down', name);
  }
  assertNothingLeft(name, before);
});

test('a service that fails undoes the lab, and its log says why', root, () => {
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

test('Ctrl-C while a service is waited for undoes the lab', root, async () => {
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
