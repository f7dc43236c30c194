/** VLAN and dummy links created by a plan: tagged packets, repair, rollback, and links of other programs that stay. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type DummyObject, type KernelObject, openKernel, printCommands, type VlanObject } from '@netyard/kernel';
import { inFreshHost, sh } from '@netyard/testkit';

const host = inFreshHost(import.meta.url);
const kernel = openKernel();
const supports = async (kind: string): Promise<boolean> => host.skip === false && (await kernel.supportsLinkKind(kind));
const having = async (kind: string) =>
  (await supports(kind)) ? host : { skip: host.skip || `this kernel has no ${kind}` };
const [withVlan, withDummy] = [await having('vlan'), await having('dummy')];

const vlan: VlanObject = {
  ...{ kind: 'vlan', name: 'up0.10', parent: 'up0', id: 10, owner: 'netyard: VLAN 10 of up0', up: true },
};
const dummy: DummyObject = { kind: 'dummy', name: 'dm-1', owner: 'netyard: parent', up: true };
const planOf = (...objects: KernelObject[]) => ({ owner: 'test', objects });
const links = (): string => sh('ip -d -o link');

before(() => {
  if (host.skip) return;
  sh(`ip netns add there; ip link add up0 type veth peer name up0 netns there; ip link set up0 up
    ip -n there link set up0 up`);
});
after(() => kernel.close());

test('a kernel without VLANs or dummy links says so with a hint', host, async (context) => {
  if ((await supports('vlan')) || (await supports('dummy'))) return context.skip('this kernel has them');
  await assert.rejects(kernel.apply(planOf(vlan)), {
    hint: 'run `modprobe 8021q`; a kernel without this module cannot have vlan interfaces',
  });
  await assert.rejects(kernel.apply(planOf(dummy)), { hint: /`modprobe dummy`/ });
});

test('a VLAN link carries a macvlan link, whose packets are tagged; reapplying changes nothing', withVlan, async () => {
  sh(`ip -n there link add link up0 name up0.10 type vlan id 10; ip -n there link set up0.10 up
    ip -n there address add 192.0.2.9/24 dev up0.10`);
  const ns = '/run/netns/c1';
  const plan = planOf(
    vlan,
    { kind: 'netns', path: ns },
    { ...{ kind: 'macvlan', ns, name: 'eth0', parent: 'up0.10', mode: 'bridge', up: true } },
    { kind: 'address', ns, link: 'eth0', prefix: '192.0.2.1/24' },
  );
  await kernel.apply(plan);
  sh('ip netns exec c1 ping -c 1 -w 60 192.0.2.9');
  assert.deepEqual((await kernel.apply(plan)).operations, []);
  assert.match(links(), /up0\.10@up0: <[^>]*UP[^>]*>.*vlan protocol 802\.1Q id 10 .*alias netyard: VLAN 10 of up0/);
  await kernel.remove(plan);
  assert.doesNotMatch(links(), /up0\.10/);
});

test('each change of a VLAN link by another program is detected and undone', withVlan, async () => {
  await kernel.apply(planOf(vlan));
  const breakages: [string, string][] = [
    ['ip link set up0.10 down', 'change'],
    ['ip link set up0.10 down; ip link set up0.10 name x0', 'change'],
    ['ip link delete up0.10', 'create'],
    [
      "ip link delete up0.10; ip link add link up0 name up0.10 type vlan id 11; ip link set up0.10 alias 'netyard: VLAN 10 of up0'",
      'change',
    ],
  ];
  for (const [command, expected] of breakages) {
    sh(command);
    const { operations } = await kernel.apply(planOf(vlan));
    assert.equal(operations[0]?.action, expected, command);
    assert.deepEqual((await kernel.apply(planOf(vlan))).operations, []);
    assert.match(links(), /up0\.10@up0: <[^>]*UP.* id 10 /, command);
  }
  await kernel.remove(planOf(vlan));
});

test('a VLAN link of another program serves as well, and is neither changed nor deleted', withVlan, async () => {
  sh('ip link add link up0 name up0.10 type vlan id 10');
  const before = links();
  assert.deepEqual((await kernel.apply(planOf(vlan))).operations, []);
  assert.deepEqual((await kernel.remove(planOf(vlan))).operations, []);
  assert.equal(links(), before);
  sh('ip link delete up0.10');
});

test('the printed commands create the same VLAN and dummy links', withVlan, async () => {
  sh([vlan, dummy].flatMap((object) => printCommands({ action: 'create', object })).join('\n'));
  assert.deepEqual((await kernel.apply(planOf(vlan, dummy))).operations, []);
  await kernel.remove(planOf(vlan, dummy));
  assert.doesNotMatch(links(), /up0\.10|dm-1/);
});

test('a dummy link is repaired, and a failing plan leaves none', withDummy, async () => {
  await kernel.apply(planOf(dummy));
  for (const command of [
    'ip link set dm-1 down',
    'ip link set dm-1 down; ip link set dm-1 name x0',
    'ip link delete dm-1',
  ]) {
    sh(command);
    assert.equal((await kernel.apply(planOf(dummy))).operations.length, 1, command);
    assert.match(links(), /dm-1: <[^>]*UP.*dummy/);
  }
  await kernel.remove(planOf(dummy));
  const failing = { kind: 'route', to: '10.0.0.0/8', via: '203.0.113.1' } as const;
  await assert.rejects(kernel.apply(planOf(dummy, failing)));
  assert.doesNotMatch(links(), /dm-1/);
});
