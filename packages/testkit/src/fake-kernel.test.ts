import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isNetyardError } from '@netyard/core';
import { hasErrno, type KernelPlan } from '@netyard/kernel';
import { FakeKernel } from './fake-kernel.ts';

const path = '/run/netns/c1';
const plan: KernelPlan = {
  owner: 'container c1',
  objects: [
    { kind: 'bridge', name: 'docker0', up: true },
    { kind: 'netns', path },
    { kind: 'veth', name: 'ny1', master: 'docker0', up: true, peer: { ns: path, name: 'eth0', up: true } },
    { kind: 'address', ns: path, link: 'eth0', prefix: '172.17.0.2/16' },
    { kind: 'nft-table', family: 'ip', name: 'netyard', body: 'map publish { }' },
    { kind: 'nft-element', family: 'ip', table: 'netyard', set: 'publish', key: 'tcp . 80', value: '172.17.0.2 . 80' },
  ],
};

test('a plan applied again changes nothing, and its removal deletes all its objects', async () => {
  const kernel = new FakeKernel();
  assert.equal((await kernel.apply(plan)).operations.length, 6);
  assert.deepEqual((await kernel.apply(plan)).operations, []);
  assert.deepEqual(
    (await kernel.listLinks(path)).map((link) => link.name),
    ['lo', 'eth0'],
  );
  await kernel.remove(plan);
  assert.deepEqual(kernel.objects(), []);
});

test('a plan that fails at any step is rolled back completely', async () => {
  for (let step = 1; step <= plan.objects.length; step += 1) {
    const kernel = new FakeKernel();
    kernel.failAtStep(step);
    await assert.rejects(kernel.apply(plan), (error) => hasErrno(error, 'EIO'));
    assert.deepEqual(kernel.objects(), []);
    await kernel.apply(plan);
  }
});

test('a plan whose objects precede their dependencies is rejected', async () => {
  const kernel = new FakeKernel();
  await assert.rejects(kernel.apply({ owner: 'x', objects: [...plan.objects].reverse() }), (error) =>
    hasErrno(error, 'ENOENT', 'ENODEV'),
  );
});

test('removal continues after a failure and reports it', async () => {
  const kernel = new FakeKernel();
  await kernel.apply(plan);
  kernel.failAtStep(1);
  await assert.rejects(kernel.remove(plan), (error) => isNetyardError(error) && /nft-element/.test(error.message));
  assert.deepEqual(kernel.objects(), []);
});

test('deleting a link deletes its addresses, and a changed object is observed as different', async () => {
  const kernel = new FakeKernel();
  await kernel.apply(plan);
  kernel.vanish({ kind: 'veth', name: 'ny1', up: true, peer: { ns: path, name: 'eth0', up: true } });
  kernel.appear({ kind: 'bridge', name: 'docker0', up: false });
  const { operations } = await kernel.apply(plan, { dryRun: true });
  assert.deepEqual(
    operations.map(({ action, object }) => `${action} ${object.kind}`),
    ['change bridge', 'create veth', 'create address'],
  );
});

test('a port is reserved once, wildcards included', () => {
  const kernel = new FakeKernel();
  const held = kernel.reservePort('tcp', '0.0.0.0', 80);
  assert.throws(
    () => kernel.reservePort('tcp', '127.0.0.1', 80),
    (error) => hasErrno(error, 'EADDRINUSE'),
  );
  kernel.reservePort('udp', '127.0.0.1', 80);
  kernel.reservePort('tcp', '::', 80);
  held.close();
  kernel.reservePort('tcp', '127.0.0.1', 80).close();
});

test('watchers receive emitted events until their signal aborts', async () => {
  const kernel = new FakeKernel();
  const abort = new AbortController();
  const received: string[] = [];
  const watching = (async () => {
    for await (const event of kernel.watch(abort.signal)) {
      received.push(event.type);
      abort.abort();
    }
  })();
  kernel.emit({ type: 'resync' });
  await watching;
  assert.deepEqual(received, ['resync']);
});
