/** Macvlan links created by a plan: packets, repair, rollback, equivalent commands, and a namespace deleted with its link. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type KernelObject, type MacvlanObject, openKernel, printCommands } from '@netyard/kernel';
import { inFreshHost, pings, sh } from '@netyard/testkit';

const host = inFreshHost(import.meta.url);
const kernel = openKernel();

const netns = (number: number): string => `/run/netns/c${number}`;
const macvlan = (number: number, mode: MacvlanObject['mode'] = 'bridge'): MacvlanObject => ({
  ...{ kind: 'macvlan', ns: netns(number), name: 'eth0', parent: 'up0', mode, up: true },
  mac: `02:42:c0:00:02:0${number}`,
});
const endpoint = (number: number, mode?: MacvlanObject['mode']): KernelObject[] => [
  { kind: 'netns', path: netns(number) },
  macvlan(number, mode),
  { kind: 'address', ns: netns(number), link: 'eth0', prefix: `192.0.2.${number}/24` },
];
const two = { owner: 'two', objects: [...endpoint(1), ...endpoint(2)] };

before(() => {
  if (host.skip) return;
  sh(`ip netns add there; ip link add up0 type veth peer name up0 netns there; ip link set up0 up
    ip -n there address add 192.0.2.9/24 dev up0; ip -n there link set up0 up`);
});
after(() => kernel.close());

test('two links of one parent reach each other and a neighbour, and reapplying changes nothing', host, async () => {
  assert.equal((await kernel.apply(two)).operations.length, two.objects.length);
  assert.ok(pings(netns(1), '192.0.2.2'));
  assert.ok(pings(netns(1), '192.0.2.9'));
  assert.deepEqual((await kernel.apply(two)).operations, []);
  assert.match(sh('ip -n c1 -d link show eth0'), /02:42:c0:00:02:01[\s\S]* macvlan mode bridge/);
});

test('each change by another program is detected and undone', host, async () => {
  const breakages: [string, string][] = [
    ['ip -n c1 link set eth0 down', 'change'],
    ['ip -n c1 link set eth0 address 02:00:00:00:00:77', 'change'],
    ['ip -n c1 link set eth0 type macvlan mode private', 'change'],
    ['ip -n c1 link set eth0 down; ip -n c1 link set eth0 name x0', 'change'],
    ['ip -n c1 link delete eth0', 'create'],
  ];
  for (const [command, expected] of breakages) {
    sh(command);
    const { operations } = await kernel.apply(two);
    assert.equal(operations.find(({ object }) => object.kind === 'macvlan')?.action, expected, command);
    await kernel.apply(two);
    assert.ok(pings(netns(1), '192.0.2.2'), command);
  }
});

test('the printed commands create the same link, and change it back', host, async () => {
  await kernel.remove(two);
  sh(two.objects.flatMap((object) => printCommands({ action: 'create', object })).join('\n'));
  assert.deepEqual((await kernel.apply(two)).operations, []);
  sh('ip -n c1 link set eth0 mtu 1400; ip -n c1 link set eth0 type macvlan mode vepa');
  const plan = { owner: 'one', objects: [{ ...macvlan(1), mtu: 1500 }] };
  sh((await kernel.apply(plan, { dryRun: true })).operations.flatMap(printCommands).join('\n'));
  assert.deepEqual((await kernel.apply(plan)).operations, []);
});

test('a link with the MAC of a deleted namespace can be created at once', host, async () => {
  for (let round = 0; round < 5; round += 1) {
    await kernel.remove({ owner: 'one', objects: endpoint(1) });
    await kernel.apply({ owner: 'one', objects: endpoint(1) });
  }
  assert.ok(pings(netns(2), '192.0.2.1'));
});

test('a link that cannot be set up is rolled back, and a missing parent is named', host, async () => {
  const [, duplicate] = endpoint(3);
  const plan = {
    owner: 'duplicate',
    objects: [
      { kind: 'netns', path: '/run/netns/c3' },
      { ...duplicate, mac: macvlan(1).mac },
    ],
  };
  await assert.rejects(kernel.apply(plan as typeof two), /EADDRINUSE|already in use/);
  assert.doesNotMatch(sh('ip netns'), /c3/);
  const objects = endpoint(3).map((object) => (object.kind === 'macvlan' ? { ...object, parent: 'none0' } : object));
  await assert.rejects(kernel.apply({ owner: 'orphan', objects }), /none0/);
});

test('a parent that is a port of a bridge is rejected with the message of Docker and a hint', host, async () => {
  sh('ip link add br0 type bridge; ip link add port0 type veth peer name port1; ip link set port0 master br0');
  const objects = endpoint(3).map((object) => (object.kind === 'macvlan' ? { ...object, parent: 'port0' } : object));
  await assert.rejects(kernel.apply({ owner: 'port', objects }), {
    message: 'failed to create the macvlan port: device or resource busy',
    hint: 'run `ip -d link`: port0 must be no port of a bridge or bond and not have both macvlan and ipvlan interfaces',
  });
  assert.doesNotMatch(sh('ip netns'), /c3/);
  sh('ip link delete br0; ip link delete port0');
});

test('a passthru link has the requested MAC, and leaves the parent as it was', host, async () => {
  await kernel.remove(two);
  const macOfParent = (): string => /link\/ether (\S+)/.exec(sh('ip -o link show up0'))?.[1] ?? '';
  const before = macOfParent();
  const plan = { owner: 'passthru', objects: endpoint(3, 'passthru') };
  await kernel.apply(plan);
  assert.deepEqual((await kernel.apply(plan)).operations, []);
  assert.ok(pings(netns(3), '192.0.2.9'));
  assert.match(sh('ip -n c3 -d link show eth0'), /02:42:c0:00:02:03[\s\S]* macvlan mode passthru/);
  await kernel.remove(plan);
  assert.equal(macOfParent(), before);
  sh(plan.objects.flatMap((object) => printCommands({ action: 'create', object })).join('\n'));
  assert.deepEqual((await kernel.apply(plan)).operations, []);
  await kernel.remove(plan);
  assert.doesNotMatch(sh('ip netns; ip -o link'), /c3|macvlan/);
});
