/** Plans made true, twice, half-way and away again, on a real kernel with real packets. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, test } from 'node:test';
import { isNetyardError } from '@netyard/core';
import { hasErrno, type KernelObject, type KernelPlan, openKernel } from '@netyard/kernel';
import { inFreshHost } from '@netyard/testkit';

const host = inFreshHost(import.meta.url);
const sh = (line: string): string =>
  execFileSync('sh', ['-c', line], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
const kernel = openKernel();
const folder = mkdtempSync(join(tmpdir(), 'netyard-apply-'));
process.once('exit', () => rmSync(folder, { recursive: true }));

const tableBody = `
  map publish { type inet_proto . inet_service : ipv4_addr . inet_service; }
  set holes { type ipv4_addr . ipv4_addr; }
  chain prerouting {
    type nat hook prerouting priority dstnat;
    dnat ip to meta l4proto . th dport map @publish
  }
  chain output {
    type nat hook output priority -100;
    dnat ip to meta l4proto . th dport map @publish
  }
`;
const bridge: KernelObject[] = [
  { kind: 'sysctl', key: 'net.ipv4.ip_forward', value: '1', keep: true },
  { kind: 'nft-table', family: 'ip', name: 'netyard', body: tableBody },
  { kind: 'bridge', name: 'ny0', mac: '02:42:00:00:00:01', owner: 'network bridge', up: true },
  { kind: 'address', link: 'ny0', prefix: '172.17.0.1/16', broadcast: '172.17.255.255' },
];
const element = (port: number, to: string): KernelObject => ({
  kind: 'nft-element',
  ...{ family: 'ip', table: 'netyard', set: 'publish' },
  ...{ key: `tcp . ${port}`, value: to, comment: 'container c' },
});
function container(number: number): KernelObject[] {
  const ns = `/run/netns/c${number}`;
  const name = `ny${number}.1`;
  return [
    { kind: 'netns', path: ns },
    { kind: 'link-state', ns, name: 'lo', up: true },
    {
      kind: 'veth',
      name,
      ...{ master: 'ny0', owner: `container c${number}`, hairpin: true, up: true, mtu: 1400 },
      peer: { ns, name: 'eth0', mac: `02:42:ac:11:00:0${number}`, up: true },
    },
    { kind: 'address', ns, link: 'eth0', prefix: `172.17.0.${number}/16`, broadcast: '172.17.255.255' },
    { kind: 'route', ns, to: 'default', via: '172.17.0.1' },
    { kind: 'neighbour', ns, link: 'eth0', address: '172.17.0.1', mac: '02:42:00:00:00:01' },
    { kind: 'sysctl', ns, key: 'net.ipv4.conf.eth0.arp_ignore', value: '1' },
    element(8800 + number, `172.17.0.${number} . 80`),
    element(9900 + number, `172.17.0.${number} . 443`),
    { kind: 'file', path: join(folder, `hosts${number}`), content: `172.17.0.${number}\tc${number}\n` },
  ];
}
const host2: KernelPlan = { owner: 'network bridge', objects: bridge };
const planOf = (number: number): KernelPlan => ({ owner: `container c${number}`, objects: container(number) });
/** The host as ip(8), nft(8) and ls(1) show it, without what settles a moment later (states, link-local addresses). */
function dump(): string[] {
  const text = sh(`ip -o link; ip -o address; ip route; ip netns list; nft list ruleset; ls ${folder}`);
  return text
    .split('\n')
    .filter((line) => !/inet6/.test(line))
    .map((line) => line.replace(/^\d+: |@if\d+| linkdown|<[^>]*>|state \w+|\(id: \d+\)|mtu \d+/g, ''));
}

beforeEach(() => {
  if (host.skip === false)
    sh(`nft flush ruleset; ip -all netns delete
      for link in $(ip -o link | sed -n 's/^[0-9]*: \\(ny[^:@]*\\).*/\\1/p'); do ip link delete $link 2>/dev/null || true; done; rm -rf ${folder}/*`);
});

test('a plan is made true, twice changes nothing, and containers reach each other and outwards', host, async () => {
  const before = dump();
  await kernel.apply(host2);
  const between = dump();
  for (const number of [2, 3]) {
    const { operations } = await kernel.apply(planOf(number));
    assert.deepEqual(
      operations.map(({ action, object }) => `${action} ${object.kind}`),
      [
        ...['create netns', 'create link-state', 'create veth', 'create address', 'create route', 'create neighbour'],
        ...['create sysctl', 'create nft-element', 'create nft-element', 'create file'],
      ],
    );
    assert.deepEqual((await kernel.apply(planOf(number))).operations, []);
    assert.ok((await kernel.observe(container(number))).every((found) => found.state === 'present'));
  }
  sh('ip netns exec c2 ping -c 1 -W 5 172.17.0.3');
  sh('ping -c 1 -W 5 172.17.0.2');
  assert.match(sh('ip netns exec c2 ip route'), /^default via 172.17.0.1 dev eth0 \n172.17.0.0\/16 dev eth0 /);
  assert.equal(await kernel.readSysctl('net.ipv4.conf.eth0.arp_ignore', '/run/netns/c2'), '1');
  assert.match(sh('ip netns exec c3 ip neighbour'), /172.17.0.1 dev eth0 lladdr 02:42:00:00:00:01 PERMANENT/);
  assert.deepEqual((await kernel.listNftElements({ family: 'ip', table: 'netyard', set: 'publish' })).length, 4);

  for (const number of [3, 2]) {
    const { operations } = await kernel.remove(planOf(number));
    assert.deepEqual(
      operations.map(({ object }) => object.kind),
      ['file', 'nft-element', 'nft-element', 'veth', 'netns'],
    );
    assert.deepEqual((await kernel.remove(planOf(number))).operations, []);
  }
  assert.deepEqual(dump(), between);
  await kernel.remove(host2);
  assert.deepEqual(dump(), before);
});

test('a published port leads to the container', host, async () => {
  await kernel.apply(host2);
  await kernel.apply(planOf(2));
  const server = `ip netns exec c2 ${process.execPath} -e 'require("net").createServer((c) => c.end("hello")).listen(80, () => console.log("up")); setTimeout(() => process.exit(), 20000)'`;
  const { spawn } = await import('node:child_process');
  const child = spawn('sh', ['-c', `exec ${server}`], { stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise((resolve) => child.stdout.once('data', resolve));
  const { connect } = await import('node:net');
  const client = connect(8802, '172.17.0.1');
  const text = await new Promise((resolve, reject) => {
    client.once('data', (data) => resolve(String(data))).once('error', reject);
  });
  client.destroy();
  child.kill();
  assert.equal(text, 'hello');
  await kernel.remove(planOf(2));
  await kernel.remove(host2);
});

test('a failure at any step leaves what was there before', host, async () => {
  await kernel.apply(host2);
  const bad: KernelObject[] = [
    { kind: 'route', ns: '/run/netns/c4', to: '10.0.0.0/8', via: '192.0.2.1' },
    { kind: 'address', ns: '/run/netns/c4', link: 'absent0', prefix: '10.0.0.1/8' },
    { kind: 'sysctl', ns: '/run/netns/c4', key: 'net.ipv4.no_such_key', value: '1' },
    { kind: 'nft-element', family: 'ip', table: 'netyard', set: 'absent', key: 'tcp . 1' },
    { kind: 'file', path: join(folder, 'no/such/folder'), content: '' },
    { kind: 'veth', name: 'x', master: 'absent1', up: true, peer: { name: 'y', up: true } },
  ];
  const before = dump();
  const objects = container(4);
  for (let position = 2; position <= objects.length; position += 1) {
    const wrong = bad[position % bad.length];
    if (!wrong) continue;
    const plan = { owner: 'test', objects: [...objects.slice(0, position), wrong, ...objects.slice(position)] };
    await assert.rejects(kernel.apply(plan));
    assert.deepEqual(dump(), before, `${wrong.kind} at ${position}`);
  }
  await kernel.remove(host2);
});

test('bad values are refused before anything is touched', host, async () => {
  const before = dump();
  const good: KernelObject = { kind: 'bridge', name: 'good0', up: true };
  const bad: KernelObject[] = [
    { kind: 'netns', path: '/run/netns/../x' },
    { kind: 'netns', path: 'relative' },
    { kind: 'bridge', name: 'much-too-long-name', up: true },
    { kind: 'veth', name: 'a/b', up: true, peer: { name: 'c', up: true } },
    { kind: 'address', link: 'good0', prefix: '1.2.3.4' },
    { kind: 'route', to: '10.1.2.3/8', via: '1.1.1.1' },
    { kind: 'neighbour', link: 'good0', address: '1.2.3.4', mac: 'no' },
    { kind: 'sysctl', key: 'net.//.x', value: '1' },
    { kind: 'sysctl', key: 'net.ipv4.ip_forward', value: '1\n0' },
    { kind: 'nft-table', family: 'ip', name: 'a; flush ruleset', body: '' },
    { kind: 'nft-element', family: 'ip', table: 't', set: 's', key: '1.1.1.1 }; flush ruleset; #' },
    { kind: 'nft-element', family: 'ip', table: 't', set: 's', key: '1.1.1.1', comment: 'a"b' },
    { kind: 'file', path: 'relative', content: '' },
  ];
  for (const object of bad) {
    await assert.rejects(
      kernel.apply({ owner: 'test', objects: [good, object] }),
      (error) => isNetyardError(error, 'invalid'),
      JSON.stringify(object),
    );
  }
  assert.deepEqual(dump(), before);
});

test('what others changed is mended, and only that', host, async () => {
  await kernel.apply(host2);
  await kernel.apply(planOf(2));
  const vandalism: [string, string][] = [
    ['ip link set ny2.1 down', 'change veth'],
    ['ip link set ny2.1 nomaster', 'change veth'],
    ['ip -n c2 link set eth0 mtu 1300', 'change veth'],
    ['ip -n c2 route replace default via 172.17.0.9', 'change route'],
    ['ip -n c2 neighbour replace 172.17.0.1 lladdr 02:00:00:00:00:99 dev eth0 nud permanent', 'change neighbour'],
    ['ip netns exec c2 sysctl -qw net.ipv4.conf.eth0.arp_ignore=0', 'change sysctl'],
    ["nft delete element ip netyard publish '{ tcp . 8802 }'", 'create nft-element'],
    [
      "nft 'delete element ip netyard publish { tcp . 8802 }; add element ip netyard publish { tcp . 8802 : 1.2.3.4 . 5 }'",
      'change nft-element',
    ],
    [`echo broken > ${folder}/hosts2`, 'change file'],
    ['ip -n c2 link set lo down', 'change link-state'],
    ['ip link set ny2.1 alias somebody', 'change veth'],
    [`ip link set ny2.1 group ${0x6e657479}`, 'change veth'], // marked for removal, then killed
  ];
  for (const [command, mended] of vandalism) {
    sh(command);
    const { operations } = await kernel.apply(planOf(2));
    assert.ok(
      operations.map(({ action, object }) => `${action} ${object.kind}`).includes(mended),
      `${command}: ${JSON.stringify(operations)}`,
    );
    assert.deepEqual((await kernel.apply(planOf(2))).operations, [], command);
  }
  sh('ip link delete ny2.1');
  const { operations } = await kernel.apply(planOf(2));
  assert.deepEqual(
    operations.map(({ action, object }) => `${action} ${object.kind}`),
    ['create veth', 'create address', 'create route', 'create neighbour', 'create sysctl'],
  );
  sh('ping -c 1 -W 5 172.17.0.2');
  await kernel.remove(planOf(2));
  await kernel.remove(host2);
});

test('a dry run tells and does nothing', host, async () => {
  await kernel.apply(host2);
  const before = dump();
  const { operations } = await kernel.apply(planOf(5), { dryRun: true });
  assert.equal(operations.length, container(5).length);
  assert.deepEqual(dump(), before);
  await kernel.apply(planOf(5));
  const there = dump();
  const removal = await kernel.remove(planOf(5), { dryRun: true });
  assert.deepEqual(
    removal.operations.map(({ object }) => object.kind),
    ['file', 'nft-element', 'nft-element', 'veth', 'netns'],
  );
  assert.deepEqual(dump(), there);
  await kernel.remove(planOf(5));
  await kernel.remove(host2);
});

test('an edited table is mended, elements kept', host, async () => {
  await kernel.apply(host2);
  await kernel.apply(planOf(2));
  const before = dump();
  for (const edit of [
    'flush chain ip netyard output',
    'add chain ip netyard own',
    'add rule ip netyard output drop',
    'delete set ip netyard holes',
  ]) {
    sh(`nft '${edit}'`);
    const { operations } = await kernel.apply(host2);
    assert.deepEqual(
      operations.map(({ action, object }) => `${action} ${object.kind}`),
      ['change nft-table'],
      edit,
    );
    assert.deepEqual(dump(), before);
    assert.deepEqual((await kernel.apply(host2)).operations, []);
  }
  await kernel.remove(planOf(2));
  await kernel.remove(host2);
});

test('a replaced table keeps its elements, and a refused one leaves the old', host, async () => {
  await kernel.apply(host2);
  await kernel.apply(planOf(2));
  sh('nft add element ip netyard holes \'{ 1.1.1.1 . 2.2.2.2 comment "x, } y" }\'');
  const changed = tableBody
    .replace('chain output', 'chain third { }\n  chain output')
    .replace('set holes { type ipv4_addr . ipv4_addr; }', 'set holes { type ipv4_addr . ipv4_addr . inet_service; }');
  const plan = (body: string): KernelPlan => ({
    owner: 'network bridge',
    objects: [{ kind: 'nft-table', family: 'ip', name: 'netyard', body }, element(8802, '172.17.0.2 . 80')],
  });
  const { operations } = await kernel.apply(plan(changed));
  assert.deepEqual(
    operations.map(({ action, object }) => `${action} ${object.kind}`),
    ['change nft-table'],
  );
  const listed = sh('nft list table ip netyard');
  assert.match(listed, /chain third/);
  assert.match(listed, /tcp \. 8802 comment "container c" : 172.17.0.2 \. 80/);
  assert.doesNotMatch(listed, /1\.1\.1\.1/); // its set has another type now
  await assert.rejects(kernel.apply(plan(`${changed}\n chain bad { no such statement }`)), (error) =>
    hasErrno(error, 'EINVAL'),
  );
  assert.equal(sh('nft list table ip netyard'), listed);
  await kernel.apply(plan(tableBody));
  await kernel.remove(planOf(2));
  await kernel.remove(host2);
});

test('a failure after the nftables takes them back: new tables, replaced ones, single elements', host, async () => {
  const own: KernelObject = {
    kind: 'nft-table',
    family: 'ip',
    name: 'own',
    body: 'set s {\ntype ipv4_addr; flags interval;\n}',
  };
  const inOwn: KernelObject = { kind: 'nft-element', family: 'ip', table: 'own', set: 's', key: '10.0.0.0/8' };
  const inOwn2: KernelObject = { kind: 'nft-element', family: 'ip', table: 'own', set: 's', key: '192.168.0.0/16' };
  const wrong: KernelObject = { kind: 'address', link: 'absent0', prefix: '10.0.0.1/8' };
  await kernel.apply(host2);
  const before = dump();
  const plan = (...objects: KernelObject[]): KernelPlan => ({ owner: 'x', objects });
  await assert.rejects(kernel.apply(plan(own, inOwn, element(1, '1.1.1.1 . 1'), wrong)));
  assert.deepEqual(dump(), before);
  await kernel.apply(plan(own, inOwn, element(1, '1.1.1.1 . 1')));
  await kernel.apply(plan(own, inOwn, inOwn2));
  const between = dump();
  const another: KernelObject = { ...own, body: `${own.body}\nchain c { }` };
  await assert.rejects(
    kernel.apply(plan(another, inOwn, inOwn2, element(1, '2.2.2.2 . 2'), element(3, '3.3.3.3 . 3'), wrong)),
  );
  assert.deepEqual(dump(), between);
  await kernel.apply(plan(another, element(1, '2.2.2.2 . 2')));
  assert.deepEqual((await kernel.apply(plan(another, inOwn, inOwn2, element(1, '2.2.2.2 . 2')))).operations, []);
  await kernel.remove(plan(another, inOwn, element(1, '2.2.2.2 . 2')));
  assert.deepEqual(dump(), before);
});

test('in another namespace everything works as here', host, async () => {
  const ns = '/run/netns/far';
  const nft = { ns, family: 'inet', table: 'netyard' } as const;
  const plan: KernelPlan = {
    owner: 'far host',
    objects: [
      { kind: 'netns', path: ns },
      { kind: 'bridge', ns, name: 'br0', up: true },
      { kind: 'veth', ns, name: 'a', master: 'br0', up: true, peer: { ns, name: 'b', up: true } },
      { kind: 'veth', ns, name: 'c', up: true, peer: { name: 'd', up: true } },
      { kind: 'address', ns, link: 'b', prefix: 'fd00::1/64' },
      {
        kind: 'nft-table',
        ...{ ns, family: 'inet', name: 'netyard' },
        body: 'set s { type ifname; }\nchain c {\niif "b" drop\n}',
      },
      { kind: 'nft-element', ...nft, set: 's', key: '"b"' },
    ],
  };
  await kernel.apply(plan);
  assert.deepEqual((await kernel.apply(plan)).operations, []);
  assert.match(sh('ip netns exec far nft list ruleset'), /iif "b" drop/);
  assert.equal(sh('nft list ruleset'), '');
  assert.match(sh('ip link show d'), /state UP/);
  assert.deepEqual(
    (await kernel.listNftElements({ ...nft, set: 's' })).map(({ key }) => key),
    ['"b"'],
  );
  assert.deepEqual(
    (await kernel.listAddresses(ns)).filter(({ link }) => link === 'b').map(({ prefix }) => prefix)[0],
    'fd00::1/64',
  );
  await kernel.remove(plan);
  assert.equal(sh('ip netns list'), '');
  assert.equal(sh('ip link show d 2>&1 || true'), 'Device "d" does not exist.\n');
});

test('twenty plans removed at the same time: all gone, none doubled, others untouched', host, async () => {
  await kernel.apply(host2);
  const before = dump();
  const plans = Array.from({ length: 20 }, (_, index): KernelPlan => {
    const ns = `/run/netns/p${index}`;
    const pair: KernelObject = {
      kind: 'veth',
      name: `nyp${index}`,
      master: 'ny0',
      up: true,
      peer: { ns, name: 'eth0', up: true },
    };
    return { owner: `p${index}`, objects: [{ kind: 'netns', path: ns }, pair, element(1000 + index, '1.1.1.1 . 1')] };
  });
  for (const plan of plans) await kernel.apply(plan);
  const reports = await Promise.all(plans.map((plan) => kernel.remove(plan)));
  for (const { operations } of reports) {
    assert.deepEqual(
      operations.map(({ object }) => object.kind),
      ['nft-element', 'veth', 'netns'],
    );
  }
  assert.deepEqual(dump(), before);
  assert.deepEqual(
    (await Promise.all(plans.map((plan) => kernel.remove(plan)))).flatMap(({ operations }) => operations),
    [],
  );
  await kernel.remove(host2);
});

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

test('removal goes on after failures and names each', host, async () => {
  await kernel.apply(host2);
  const stuck = join(folder, 'stuck');
  sh(`mkdir ${stuck}`);
  const plan: KernelPlan = {
    owner: 'container x',
    objects: [...container(6), { kind: 'file', path: stuck, content: '' }],
  };
  await kernel.apply(planOf(6));
  await assert.rejects(kernel.remove(plan), /^NetyardError: removing container x: .*stuck/);
  assert.equal(sh('ip netns list'), '');
  sh(`rmdir ${stuck}`);
  await kernel.remove(host2);
});
