/** Plans are applied, reapplied, rolled back and removed, on a real kernel with real packets. */
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { isNetyardError } from '@netyard/core';
import { type KernelObject, type KernelPlan, openKernel } from '@netyard/kernel';
import { inFreshHost, sh } from '@netyard/testkit';
import { cleanHost, container, dump, folder, host2, planOf } from './plan-host.ts';

const host = inFreshHost(import.meta.url);
const kernel = openKernel();

beforeEach(() => cleanHost(host));

test(
  'a plan is applied, reapplying it changes nothing, and containers reach each other and the outside',
  host,
  async () => {
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
    sh('ip netns exec c2 ping -c 1 -w 60 172.17.0.3');
    sh('ping -c 1 -w 60 172.17.0.2');
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
  },
);

test('a published port reaches the container', host, async () => {
  await kernel.apply(host2);
  await kernel.apply(planOf(2));
  const server = `ip netns exec c2 ${process.execPath} -e 'require("net").createServer((c) => c.end("hello")).listen(80, () => console.log("up")); setTimeout(() => process.exit(), 300_000)'`;
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

test('a failure at any step restores the previous state', host, async () => {
  await kernel.apply(host2);
  const bad: KernelObject[] = [
    { kind: 'route', ns: '/run/netns/c4', to: '10.0.0.0/8', via: '192.0.2.1' },
    { kind: 'address', ns: '/run/netns/c4', link: 'absent0', prefix: '10.0.0.1/8' },
    { kind: 'sysctl', ns: '/run/netns/c4', key: 'net.ipv4.no_such_key', value: '1' },
    { kind: 'nft-element', family: 'ip', table: 'netyard', set: 'absent', key: 'tcp . 1' },
    { kind: 'file', path: '/dev/null/no-folder/file', content: '' },
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

test('a new link that exists makes the plan fail, and nothing is changed', host, async () => {
  await kernel.apply(host2);
  sh('ip link add ny4.1 type bridge; ip netns add c4');
  const before = dump();
  await assert.rejects(kernel.apply(planOf(4), { newLinks: ['ny4.1'] }), /ip link add ny4\.1: EEXIST/);
  assert.deepEqual(dump(), before);
  sh('ip link delete ny4.1');
  const { operations } = await kernel.apply(planOf(4), { newLinks: ['ny4.1'] });
  assert.equal(operations[0]?.object.kind, 'link-state');
  assert.deepEqual((await kernel.apply(planOf(4))).operations, []);
  await kernel.remove(planOf(4));
  await kernel.remove(host2);
});

test("a default route takes another one's place, and a failure gives it back", host, async () => {
  await kernel.apply(host2);
  sh(`ip netns add c4; ip -n c4 link add d0 type bridge; ip -n c4 address add 10.9.0.2/24 dev d0
    ip -n c4 link set d0 up; ip -n c4 route add default via 10.9.0.1`);
  const routes = (): string => sh('ip -n c4 route show default').replace('linkdown', '').trim();
  const wrong: KernelObject = { kind: 'sysctl', ns: '/run/netns/c4', key: 'net.ipv4.no_such_key', value: '1' };
  await assert.rejects(kernel.apply({ owner: 'test', objects: [...container(4), wrong] }));
  assert.equal(routes(), 'default via 10.9.0.1 dev d0');
  const endsWithRoute = container(4).slice(0, container(4).findIndex(({ kind }) => kind === 'route') + 1);
  await kernel.apply({ owner: 'test', objects: endsWithRoute });
  assert.equal(routes(), 'default via 172.17.0.1 dev eth0');
  await kernel.apply(planOf(4));
  assert.equal(routes(), 'default via 172.17.0.1 dev eth0');
  await kernel.remove(planOf(4));
  await kernel.remove(host2);
});

test('invalid values are rejected before anything is changed', host, async () => {
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

test('changes by other programs are repaired, and nothing else', host, async () => {
  await kernel.apply(host2);
  await kernel.apply(planOf(2));
  const foreignChanges: [string, string][] = [
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
    ['ip link set ny2.1 alias other', 'change veth'],
    [`ip link set ny2.1 group ${0x6e657479}`, 'change veth'], // marked for removal before a crash
  ];
  for (const [command, expected] of foreignChanges) {
    sh(command);
    const { operations } = await kernel.apply(planOf(2));
    assert.ok(
      operations.map(({ action, object }) => `${action} ${object.kind}`).includes(expected),
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
  sh('ping -c 1 -w 60 172.17.0.2');
  await kernel.remove(planOf(2));
  await kernel.remove(host2);
});

test('a dry run reports the operations and changes nothing', host, async () => {
  await kernel.apply(host2);
  const before = dump();
  const { operations } = await kernel.apply(planOf(5), { dryRun: true });
  assert.equal(operations.length, container(5).length);
  assert.deepEqual(dump(), before);
  await kernel.apply(planOf(5));
  const applied = dump();
  const removal = await kernel.remove(planOf(5), { dryRun: true });
  assert.deepEqual(
    removal.operations.map(({ object }) => object.kind),
    ['file', 'nft-element', 'nft-element', 'veth', 'netns'],
  );
  assert.deepEqual(dump(), applied);
  await kernel.remove(planOf(5));
  await kernel.remove(host2);
});

test('a plan works in another namespace as in the own one', host, async () => {
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
  assert.match(sh('ip link show d'), /<.*\bUP\b.*>/); // its operational state follows later
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

test('the duration of each apply is reported, also of a failed one, but not of a dry run', host, async () => {
  const seconds: number[] = [];
  const noting = openKernel({ noteApply: (duration) => seconds.push(duration) });
  const link: KernelObject = { kind: 'link-state', name: 'lo', mtu: 60_000 };
  await noting.apply({ owner: 'test', objects: [link] }, { dryRun: true });
  assert.equal(seconds.length, 0);
  await noting.apply({ owner: 'test', objects: [link] });
  await assert.rejects(
    noting.apply({ owner: 'test', objects: [{ kind: 'address', link: 'absent', prefix: '10.0.0.1/8' }] }),
  );
  assert.equal(seconds.length, 2);
  assert.ok(seconds.every((duration) => duration > 0));
  noting.close();
});
