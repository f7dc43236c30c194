/** Parents that networks create, on a kernel in memory: checks, sharing, events, a lost record, dry runs. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { KernelObject } from '@netyard/kernel';
import type { FakeKernel } from '@netyard/testkit';
import { openFakeTestbed, refuses } from './fake-testbed.ts';
import type { Testbed } from './testbed.ts';

let kernel: FakeKernel;
let testbed: Testbed;
let created = 0;

beforeEach(async () => {
  ({ kernel, testbed } = await openFakeTestbed());
});
afterEach(() => testbed.close());

const create = (name: string, parent?: string, driver = 'macvlan') => {
  created += 1;
  const v4 = [{ subnet: `10.6.${created}.0/24` }];
  const options: Record<string, string> = parent === undefined ? {} : { parent };
  return testbed.networks.create({ name, driver, ipam: { v4 }, options });
};
const parents = (): string[] =>
  kernel.objects().flatMap((object) => (object.kind === 'vlan' || object.kind === 'dummy' ? [object.name] : []));
const vlan = {
  kind: 'vlan',
  name: 'eth0.10',
  parent: 'eth0',
  id: 10,
  owner: 'netyard: VLAN 10 of eth0',
  up: true,
} as const;

test('impossible VLAN sub-interfaces are rejected with the messages of Docker', async () => {
  const cases: [string, string][] = [
    ['lan7', 'invalid subinterface vlan name lan7, example formatting is eth0.10'],
    ['lan7.5', '-o parent interface was not found on the host: lan7'],
    ['eth0.5000', 'vlan id must be between 1-4094, received: 5000'],
    ['eth0.0', 'vlan id must be between 1-4094, received: 0'],
    ['eth0.-7', 'vlan id must be between 1-4094, received: -7'],
    ['eth0.x', 'unable to parse a valid vlan id from: x (ex. eth0.10 for vlan 10)'],
    ['eth0.1.2', 'required interface name format is: name.vlan_id, ex. eth0.10 for vlan 10, instead received eth0.1.2'],
  ];
  for (const driver of ['macvlan', 'ipvlan'])
    for (const [parent, message] of cases)
      await assert.rejects(create('x', parent, driver), refuses('failed', message));
});

test('a kernel without VLANs or dummy interfaces is reported before anything changes', async () => {
  kernel.unsupportedKinds.add('vlan').add('dummy');
  const before = kernel.objects();
  await assert.rejects(create('x', 'eth0.10'), { hint: /`modprobe 8021q`/ });
  await assert.rejects(create('x'), refuses('failed', 'the kernel does not support dummy interfaces'));
  assert.deepEqual(kernel.objects(), before);
  await create('x', 'eth0');
});

test('a VLAN sub-interface is created once, and deleted with its last network', async () => {
  await create('a', 'eth0.10');
  await create('b', 'eth0.10');
  assert.deepEqual(
    kernel.objects().filter(({ kind }) => kind === 'vlan'),
    [vlan],
  );
  await testbed.networks.remove('a');
  assert.deepEqual(parents(), ['eth0.10']);
  await testbed.networks.remove('b');
  assert.deepEqual(parents(), []);
});

test('an existing interface of another program is used, and stays', async () => {
  kernel.appear({ ...vlan, owner: 'mine' });
  await create('a', 'eth0.10');
  assert.equal(testbed.networks.get('a').createdParent, undefined);
  await testbed.networks.remove('a');
  assert.deepEqual(parents(), ['eth0.10']);
});

test('a network without a parent is internal, and its dummy interface is deleted with it', async () => {
  const { id } = await create('a');
  assert.ok(testbed.networks.get('a').internal);
  const second = await create('b', undefined, 'ipvlan');
  assert.deepEqual(parents(), [`dm-${id.slice(0, 12)}`, `di-${second.id.slice(0, 12)}`]);
  for (const name of ['a', 'b']) await testbed.networks.remove(name);
  assert.deepEqual(parents(), []);
});

const settled = async (holds: () => boolean): Promise<void> => {
  for (let round = 0; round < 400 && !holds(); round += 1) await new Promise((resolve) => setTimeout(resolve, 25));
  assert.ok(holds());
};
const linkEvent = (action: 'new' | 'del', name: string, index: number) =>
  kernel.emit({ type: 'link', action, name, index, ...(action === 'new' ? { up: true } : {}) });

test('a deleted VLAN sub-interface is created again, also when its own parent returns', async () => {
  await create('a', 'eth0.10');
  await create('b', 'eth0.10');
  await testbed.networks.remove('a'); // the remaining network repairs it
  kernel.vanish(vlan);
  linkEvent('del', 'eth0.10', 7);
  await settled(() => parents().length === 1);
  kernel.vanish(vlan);
  linkEvent('new', 'eth0', 9);
  await settled(() => parents().length === 1);
});

test('after the loss of a record its parent is recognised by its owner and removed; a restart keeps those in use', async () => {
  const { id } = await create('a', 'eth0.10');
  await create('b');
  await testbed.networks.close();
  await testbed.open().start([]);
  assert.equal(parents().length, 2);
  testbed.store.deleteNetwork(id);
  await testbed.networks.close();
  await testbed.open().start([]);
  assert.equal(parents().length, 1);
  assert.ok((await testbed.networks.cleanup({ dryRun: true })).every((text) => !/dm-/.test(text)));
});

test('explain shows the parent, and not the tables of bridge networks', async () => {
  await create('a', 'eth0.10');
  const objects: readonly KernelObject[] = testbed.networks.explain('a').objects;
  assert.deepEqual(objects, [vlan]);
});
