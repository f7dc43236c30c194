/** Ipvlan links created by a plan: packets in each mode, repair, rollback, equivalent commands. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type IpvlanObject, type KernelObject, openKernel, printCommands } from '@netyard/kernel';
import { inFreshHost, pings, pingsBriefly, sh } from '@netyard/testkit';

const host = inFreshHost(import.meta.url);
const kernel = openKernel();
const hasIpvlan = host.skip === false && (await kernel.supportsLinkKind('ipvlan'));
const withIpvlan = hasIpvlan ? host : { skip: host.skip || 'this kernel has no ipvlan' };

const netns = (number: number): string => `/run/netns/c${number}`;
type Mode = IpvlanObject['mode'];

const ipvlan = (number: number, mode: Mode = 'l2', flag: IpvlanObject['flag'] = 'bridge'): IpvlanObject => ({
  ...{ kind: 'ipvlan', ns: netns(number), name: 'eth0', parent: 'up0', mode, flag, up: true },
});
const endpoint = (number: number, ...settings: [Mode?, IpvlanObject['flag']?]): KernelObject[] => [
  { kind: 'netns', path: netns(number) },
  ipvlan(number, ...settings),
  { kind: 'address', ns: netns(number), link: 'eth0', prefix: `192.0.2.${number}/24` },
];
const two = (...settings: [Mode?, IpvlanObject['flag']?]) => ({
  owner: 'two',
  objects: [...endpoint(1, ...settings), ...endpoint(2, ...settings)],
});

before(() => {
  if (host.skip) return;
  sh(`ip netns add there; ip link add up0 type veth peer name up0 netns there; ip link set up0 up
    ip -n there address add 192.0.2.9/24 dev up0; ip -n there link set up0 up`);
});
after(() => kernel.close());

test('a kernel supports the kinds that ip(8) can create, and finding out creates nothing', host, async () => {
  for (const kind of ['macvlan', 'bridge', 'ipvlan', 'vlan', 'dummy', 'nothing']) {
    const options = { vlan: 'id 5' }[kind] ?? '';
    const creates =
      sh(`ip link add k0 link up0 type ${kind} ${options} 2>/dev/null && echo yes || echo no`) === 'yes\n';
    if (creates) sh('ip link delete k0');
    const before = sh('ip -o link');
    assert.equal(await kernel.supportsLinkKind(kind), creates, kind);
    assert.equal(sh('ip -o link'), before);
  }
});

test('a kernel without ipvlan says so with a hint, and nothing is left', host, async (context) => {
  if (hasIpvlan) return context.skip('this kernel has ipvlan');
  await assert.rejects(kernel.apply(two()), {
    message: 'ip link add eth0: EOPNOTSUPP: Unknown device type',
    hint: 'run `modprobe ipvlan`; a kernel without this module cannot have ipvlan interfaces',
  });
  assert.doesNotMatch(sh('ip netns'), /c1/);
});

test(
  'two links of one parent reach each other and a neighbour, and reapplying changes nothing',
  withIpvlan,
  async () => {
    assert.equal((await kernel.apply(two())).operations.length, two().objects.length);
    assert.ok(pings(netns(1), '192.0.2.2'));
    assert.ok(pings(netns(1), '192.0.2.9'));
    assert.deepEqual((await kernel.apply(two())).operations, []);
    assert.match(sh('ip -n c1 -d link show eth0'), /ipvlan +mode l2 bridge/);
  },
);

test('each change by another program is detected and undone', withIpvlan, async () => {
  const breakages: [string, string][] = [
    ['ip -n c1 link set eth0 down', 'change'],
    ['ip -n c1 link set eth0 type ipvlan mode l3 private', 'change'],
    ['ip -n c1 link set eth0 down; ip -n c1 link set eth0 name x0', 'change'],
    ['ip -n c1 link delete eth0', 'create'],
  ];
  for (const [command, expected] of breakages) {
    sh(command);
    const { operations } = await kernel.apply(two());
    assert.equal(operations.find(({ object }) => object.kind === 'ipvlan')?.action, expected, command);
    await kernel.apply(two());
    assert.ok(pings(netns(1), '192.0.2.2'), command);
  }
});

test('mode and flag change in place, and a failing plan restores them', withIpvlan, async () => {
  await kernel.apply(two('l3', 'private'));
  assert.match(sh('ip -n c2 -d link show eth0'), /ipvlan +mode l3 private/);
  assert.ok(!pingsBriefly(netns(1), '192.0.2.2'));
  const failing = { kind: 'route', to: '10.0.0.0/8', via: '203.0.113.1' } as const;
  await assert.rejects(kernel.apply({ owner: 'x', objects: [...two('l3s', 'vepa').objects, failing] }));
  assert.match(sh('ip -n c2 -d link show eth0'), /ipvlan +mode l3 private/);
  await kernel.apply(two('l3'));
  assert.ok(pings(netns(1), '192.0.2.2'));
});

test('the printed commands create the same links, and change them back', withIpvlan, async () => {
  await kernel.remove(two());
  sh(
    two('l3s')
      .objects.flatMap((object) => printCommands({ action: 'create', object }))
      .join('\n'),
  );
  assert.deepEqual((await kernel.apply(two('l3s'))).operations, []);
  sh('ip -n c1 link set eth0 type ipvlan mode l2 vepa; ip -n c1 link set eth0 down');
  sh(printCommands({ action: 'change', object: ipvlan(1, 'l3s') }).join('\n'));
  assert.deepEqual((await kernel.apply(two('l3s'))).operations, []);
});

test('a removed namespace frees its address at once, and a failed plan leaves nothing', withIpvlan, async () => {
  for (let round = 0; round < 3; round += 1) {
    await kernel.remove(two('l3s'));
    await kernel.apply(two('l3s'));
  }
  await kernel.remove(two('l3s'));
  const failing = { kind: 'route', ns: '/run/netns/c1', to: '10.0.0.0/8', via: '203.0.113.1' } as const;
  await assert.rejects(kernel.apply({ owner: 'x', objects: [...endpoint(1), failing] }));
  assert.doesNotMatch(sh('ip netns'), /c1/);
});

test('macvlan and ipvlan on one parent exclude each other, with the message of Docker', withIpvlan, async () => {
  await kernel.apply(two());
  const macvlan = { kind: 'macvlan', name: 'mac0', parent: 'up0', mode: 'bridge', up: true } as const;
  await assert.rejects(kernel.apply({ owner: 'x', objects: [macvlan] }), {
    message: 'failed to create the macvlan port: device or resource busy',
  });
  await kernel.remove(two());
  await kernel.apply({ owner: 'x', objects: [macvlan] });
  await assert.rejects(kernel.apply(two()), { message: 'failed to create the ipvlan port: device or resource busy' });
  await kernel.remove({ owner: 'x', objects: [macvlan] });
});
