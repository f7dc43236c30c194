import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeKernel } from '@netyard/testkit';
import type { KernelObject } from '../desired.ts';
import { recordKernel } from './recording-kernel.ts';

const ns = '/run/netns/a';
const veth: KernelObject = { kind: 'veth', name: 'v0', up: true, peer: { ns, name: 'eth0', up: true } };
const address: KernelObject = { kind: 'address', ns, link: 'eth0', prefix: '10.0.0.2/24' };
const objects: KernelObject[] = [{ kind: 'netns', path: ns }, veth, address];
const owner = 'test';

test('a recording kernel records what the kernel would do and changes nothing', async () => {
  const kernel = new FakeKernel();
  await kernel.apply({ owner, objects: objects.slice(0, 1) });
  const before = kernel.objects();
  const { kernel: recording, operations } = recordKernel(kernel);
  await recording.apply({ owner, objects });
  assert.deepEqual(operations, [
    { action: 'create', object: veth },
    { action: 'create', object: address },
  ]);
  assert.deepEqual(kernel.objects(), before);
  assert.deepEqual((await recording.apply({ owner, objects })).operations, [], 'as if they had been created');
});

test('observations follow the recorded operations, also for what depends on a deleted object', async () => {
  const kernel = new FakeKernel();
  await kernel.apply({ owner, objects });
  const { kernel: recording, operations } = recordKernel(kernel);
  await recording.remove({ owner, objects: [veth] });
  assert.deepEqual(
    (await recording.observe(objects)).map(({ state }) => state),
    ['present', 'absent', 'absent'],
  );
  await recording.apply({ owner, objects: [{ ...veth, mtu: 1400 }] });
  assert.deepEqual(
    operations.map(({ action }) => action),
    ['delete', 'create'],
  );
  assert.equal((await recording.observe([veth]))[0]?.state, 'different');
  assert.deepEqual((await recording.apply({ owner, objects: [address] }, { dryRun: true })).operations.length, 1);
  assert.equal(operations.length, 2);
  assert.equal((await recording.listLinks(ns)).length, 2, 'other calls go to the kernel');
});
