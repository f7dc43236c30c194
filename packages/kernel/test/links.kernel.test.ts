/**
 * Objects that share their name or location with those of other programs: foreign links, files that keep their inode.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { beforeEach, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { type KernelObject, type KernelPlan, openKernel, recordKernel } from '@netyard/kernel';
import { inFreshHost, sh } from '@netyard/testkit';
import { cleanHost, folder } from './plan-host.ts';

const host = inFreshHost(import.meta.url);
const kernel = openKernel();

beforeEach(() => cleanHost(host));

test('foreign links under our names are left alone', host, async () => {
  sh('ip link add ny9 type bridge; ip link add ny8 type veth peer name ny7');
  await assert.rejects(
    kernel.apply({ owner: 'x', objects: [{ kind: 'veth', name: 'ny9', up: true, peer: { name: 'z', up: true } }] }),
    /ny9: EEXIST: it is a bridge, not a veth/,
  );
  const plan: KernelPlan = {
    owner: 'x',
    objects: [
      { kind: 'bridge', name: 'ny8', up: true },
      { kind: 'bridge', name: 'ny9', owner: 'us', up: true },
    ],
  };
  assert.deepEqual((await kernel.remove(plan)).operations, []);
  sh('ip link show ny8; ip link show ny9; ip link delete ny8; ip link delete ny9');
});

test("a pair's far end is set up when it has its settings and addresses", host, async () => {
  const ns = '/run/netns/c9';
  sh('ip netns add c9');
  const events = spawn('ip', ['-n', 'c9', '-o', 'monitor', 'link', 'address'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface(events.stdout)[Symbol.asyncIterator]();
  const next = async (expected: RegExp): Promise<string[]> => {
    const passed: string[] = [];
    while (!expected.test(passed.at(-1) ?? ''))
      passed.push((await lines.next()).value ?? assert.fail('no more events'));
    return passed;
  };
  const toggle = setInterval(() => sh('ip -n c9 link set lo up; ip -n c9 link set lo down'), 50);
  await next(/: lo: /); // the monitor listens now
  clearInterval(toggle);
  const objects: KernelObject[] = [
    { kind: 'veth', name: 'ny9', up: true, peer: { ns, name: 'eth0', up: true } },
    { kind: 'sysctl', ns, key: 'net.ipv6.conf.eth0.disable_ipv6', value: '1' },
    { kind: 'address', ns, link: 'eth0', prefix: '10.9.9.2/24' },
    { kind: 'route', ns, to: 'default', family: 4, via: '10.9.9.1', link: 'eth0' },
  ];
  await kernel.apply({ owner: 'x', objects });
  const until = await next(/: eth0@\S+ <[^>]*[<,]UP[,>]/);
  assert.ok(until.some((line) => line.includes('inet 10.9.9.2/24')));
  assert.ok((await kernel.observe(objects)).every(({ state }) => state === 'present'));
  assert.equal(sh('ip -n c9 -6 address show dev eth0'), '');
  events.kill();
  await kernel.remove({ owner: 'x', objects });
  sh('ip netns delete c9');
});

test('a pair joins two bridges, and both ends are attached again', host, async () => {
  const kernel = openKernel();
  const objects: KernelObject[] = [
    { kind: 'bridge', name: 'first', up: true },
    { kind: 'bridge', name: 'second', up: true },
    { kind: 'veth', name: 'trunk', master: 'first', up: true, peer: { name: 'uplink', master: 'second', up: true } },
  ];
  const ports = (): string[] =>
    ['trunk', 'uplink'].map(
      (link) =>
        / master (\S+) .*state (\S+)/
          .exec(sh(`ip -o link show ${link}`))
          ?.slice(1, 3)
          .join() ?? '',
    );
  await kernel.apply({ owner: 'test', objects });
  assert.deepEqual(ports(), ['first,UP', 'second,UP']);
  assert.deepEqual((await kernel.apply({ owner: 'test', objects })).operations, []);
  sh('ip link set uplink nomaster; ip link set trunk master second');
  const found = await kernel.observe(objects);
  assert.deepEqual(found.at(-1), { state: 'different', found: 'another master, far end has another master' });
  await kernel.apply({ owner: 'test', objects });
  assert.deepEqual(ports(), ['first,UP', 'second,UP']);
  sh('ip link delete second');
  await assert.rejects(kernel.apply({ owner: 'test', objects: objects.slice(2) }));
  await kernel.remove({ owner: 'test', objects });
  assert.equal(sh('ip -o link show type bridge'), '');
  kernel.close();
});

test('a pair of which an end was moved to another namespace is created again, and removed', host, async () => {
  const plan: KernelPlan = {
    owner: 'x',
    objects: [{ kind: 'veth', name: 'trunk', owner: 'us', up: true, peer: { name: 'uplink', up: true } }],
  };
  sh('ip netns add c9');
  for (const end of ['trunk', 'uplink']) {
    await kernel.apply(plan);
    sh(`ip link set ${end} netns c9`);
    assert.equal((await kernel.apply(plan)).operations.length, 1, end);
    assert.match(sh('ip -o link show trunk'), /: trunk@uplink: .*,UP/);
    sh(`ip link set ${end} netns c9`);
    await kernel.remove(plan);
    assert.doesNotMatch(sh('ip -o link; ip -n c9 -o link'), /trunk|uplink/);
  }
  sh('ip netns delete c9');
});

test("IPv6 of a pair's end on the host is disabled before it is set up, and left alone afterwards", host, async () => {
  const ns = '/run/netns/c8';
  const name = 'ny.8';
  sh('ip netns add c8; ip link add br8 up type bridge');
  const veth: KernelObject = {
    ...{ kind: 'veth', name, master: 'br8', disableIpv6: true, up: true },
    peer: { ns, name: 'eth0', up: true },
  };
  const plan: KernelPlan = { owner: 'x', objects: [veth] };
  await kernel.apply(plan);
  const addresses = (): string => sh(`ip -6 address show dev ${name}`);
  const routes = (): string => sh(`ip -6 route show table all dev ${name}`);
  const hasAddress = async (): Promise<void> => {
    while (!sh('ip -n c8 -6 address show dev eth0 -tentative').includes('fe80::')) await setImmediate();
  };
  await hasAddress(); // the far end, which got its carrier at the same time
  assert.equal(addresses() + routes(), '');
  sh(`sysctl -qw net.ipv6.conf.${name.replace('.', '/')}.disable_ipv6=0`);
  assert.match(addresses(), /fe80::/);
  assert.deepEqual((await kernel.apply(plan)).operations, []);
  assert.match(addresses(), /fe80::/);
  await kernel.remove(plan);
  sh('ip netns delete c8; ip link delete br8');
});

test('a pair whose end has no IPv6 settings is not created without IPv6', host, async () => {
  const veth: KernelObject = {
    ...{ kind: 'veth', name: 'ny7', mtu: 1279, disableIpv6: true, up: true },
    peer: { name: 'ny6', up: true },
  };
  await assert.rejects(kernel.apply({ owner: 'x', objects: [veth] }), /net\.ipv6\.conf\.ny7\.disable_ipv6=1.*ENOENT/);
  assert.equal(sh('ip -o link').includes('ny7'), false);
});

test('an owner text of the maximum length is set and read back', host, async () => {
  const owner = `netyard: ${'n'.repeat(255 - 'netyard: '.length)}`; // IFALIASZ (if.h), less the closing NUL
  const plan: KernelPlan = { owner: 'x', objects: [{ kind: 'bridge', name: 'ny1', owner, up: true }] };
  await kernel.apply(plan);
  assert.equal(JSON.parse(sh('ip -json link show ny1'))[0].ifalias, owner);
  assert.deepEqual((await kernel.apply(plan)).operations, []);
  await kernel.remove(plan);
});

test('a link whose creation a crash interrupted is recognised, and completed when it is desired', host, async () => {
  sh('ip link add ny1 group 0x6e65747a type bridge'); // the alias needs a second message
  const ownerOf = async (): Promise<string | undefined> =>
    (await kernel.listLinks()).find(({ name }) => name === 'ny1')?.owner;
  assert.equal(await ownerOf(), 'netyard: unfinished link');
  const plan: KernelPlan = { owner: 'x', objects: [{ kind: 'bridge', name: 'ny1', owner: 'netyard: it', up: true }] };
  await kernel.apply(plan);
  assert.equal(await ownerOf(), 'netyard: it');
  assert.equal(JSON.parse(sh('ip -json link show ny1'))[0].group, 'default');
  assert.deepEqual((await kernel.apply(plan)).operations, []);
  await kernel.remove(plan);
  await kernel.apply(plan);
  assert.equal(JSON.parse(sh('ip -json link show ny1'))[0].group, 'default');
  await kernel.remove(plan);
});

test('a file keeps its inode and gets its mode', host, async () => {
  const path = join(folder, 'file');
  writeFileSync(path, 'a much longer text than before\n', { mode: 0o600 });
  const { ino } = statSync(path);
  const plan = (content: string, mode?: number): KernelPlan => ({
    owner: 'x',
    objects: [{ kind: 'file', path, content, ...(mode === undefined ? {} : { mode }) }],
  });
  await kernel.apply(plan('short\n'));
  assert.equal(readFileSync(path, 'utf8'), 'short\n');
  assert.equal(statSync(path).mode & 0o777, 0o600);
  await kernel.apply(plan('short\n', 0o644));
  assert.deepEqual([statSync(path).ino, statSync(path).mode & 0o777], [ino, 0o644]);
  await kernel.remove(plan(''));
  assert.ok(!existsSync(path));
});

test(
  'an edited file keeps its inode, is written only when its text changes, and is no symbolic link',
  host,
  async () => {
    const path = join(folder, 'edited');
    writeFileSync(path, 'one\ntwo\n', { mode: 0o600 });
    const { ino } = statSync(path);
    await kernel.editFile(path, 100, (text) => text.replace('one\n', ''));
    assert.equal(readFileSync(path, 'utf8'), 'two\n');
    assert.deepEqual([statSync(path).ino, statSync(path).mode & 0o777], [ino, 0o600]);
    utimesSync(path, 1, 1);
    await kernel.editFile(path, 100, (text) => text);
    assert.equal(statSync(path).mtimeMs, 1000);
    const foreign = Buffer.from('caf\xe9 \xe3\x81\n', 'latin1');
    writeFileSync(`${path}-bytes`, foreign);
    await kernel.editFile(`${path}-bytes`, 100, (text) => `${text}é\n`);
    assert.deepEqual(readFileSync(`${path}-bytes`), Buffer.concat([foreign, Buffer.from('é\n')]));
    const { kernel: recording, operations } = recordKernel(kernel);
    await recording.editFile(path, 100, (text) => text);
    await recording.editFile(path, 100, (text) => `${text}three\n`);
    const object = { kind: 'file', path, content: 'two\nthree\n' } as const;
    assert.deepEqual(operations, [{ action: 'change', object, found: 'different content' }]);
    assert.equal(readFileSync(path, 'utf8'), 'two\n');
    assert.equal(await kernel.editFile(path, 3, () => 'x'), 'too long');
    assert.equal(await kernel.editFile(`${path}-2`, 100, () => 'x'), 'missing');
    assert.ok(readFileSync(path, 'utf8') === 'two\n' && !existsSync(`${path}-2`));
    symlinkSync(path, `${path}-link`);
    await assert.rejects(
      kernel.editFile(`${path}-link`, 100, () => 'x'),
      { code: 'ELOOP' },
    );
  },
);

test('a veth end marked `keep` is created and then left alone', host, async () => {
  const ns = '/run/netns/c9';
  const veth = {
    kind: 'veth',
    ...{ name: 'ny9', mtu: 1400, up: true },
    peer: { ns, name: 'eth0', mac: '02:42:ac:11:00:09', up: true, keep: true },
  } as const;
  const plan: KernelPlan = { owner: 'x', objects: [{ kind: 'netns', path: ns }, veth] };
  await kernel.apply(plan);
  assert.match(sh('ip -n c9 -o link show eth0'), /<.*UP.*mtu 1400 .*02:42:ac:11:00:09/);
  sh('ip -n c9 link set eth0 down; ip -n c9 link set eth0 name other mtu 1300 address 02:42:ac:11:00:08');
  sh('ip netns add c8; ip -n c9 link set other netns c8');
  assert.deepEqual((await kernel.apply(plan)).operations, []);
  sh('ip link set ny9 down mtu 1200');
  assert.equal((await kernel.apply(plan)).operations.length, 1);
  assert.match(sh('ip -o link show ny9'), /<.*UP.*mtu 1400 /);
  assert.match(sh('ip -n c8 -o link show other'), /mtu 1300 .*state DOWN.*02:42:ac:11:00:08/);
  await kernel.remove(plan);
  sh('ip netns delete c8');
});

test('a route that another program adds with a better metric is left alone', host, async () => {
  const ns = '/run/netns/c9';
  const route = { kind: 'route', ns, to: 'default', via: '10.1.1.1' } as const;
  const plan: KernelPlan = {
    owner: 'x',
    objects: [
      { kind: 'netns', path: ns },
      { kind: 'bridge', ns, name: 'br0', up: true },
      { kind: 'address', ns, link: 'br0', prefix: '10.1.1.2/24' },
      route,
    ],
  };
  await kernel.apply(plan);
  sh('ip -n c9 route prepend default via 10.1.1.9');
  assert.deepEqual((await kernel.apply(plan)).operations, []);
  assert.match(sh('ip -n c9 route'), /default via 10\.1\.1\.9.*\ndefault via 10\.1\.1\.1 /);
  await kernel.remove(plan);
});
