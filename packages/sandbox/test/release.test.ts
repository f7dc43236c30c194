/** Tests the release of a container's network: deleted objects, the dry run, and inconsistent records. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { afterEach, beforeEach, test } from 'node:test';
import type { KernelOperation } from '@netyard/kernel';
import type { FakeKernel } from '@netyard/testkit';
import { openFakeTestbed, refuses, tcp } from './fake-testbed.ts';
import type { Testbed } from './testbed.ts';

let kernel: FakeKernel;
let testbed: Testbed;

beforeEach(async () => {
  ({ kernel, testbed } = await openFakeTestbed());
});
afterEach(() => testbed.close());

test('release and rm --link delete exactly what their dry run prints', async () => {
  const { networks } = testbed;
  await networks.close();
  await testbed.open({ icc: false }).start([]);
  const child = await testbed.run('child', { exposed: [{ protocol: 'tcp', port: 80 }] });
  const links = ['child:db', 'child:store'];
  const { containerId, files } = await testbed.run('web', { links, ports: [tcp(8801)] });
  for (const object of kernel.objects())
    if (object.kind === 'file' && object.path === files.hosts) writeFileSync(object.path, object.content);
  const words = (operations: readonly { action: string; object: object }[]): string[] =>
    operations.map((operation) => JSON.stringify(operation)).sort();
  /** Checks that the plan changes nothing and that the work then does exactly what is planned. */
  const same = async (plan: () => Promise<KernelOperation[]>, work: () => Promise<void>): Promise<string[]> => {
    const before = kernel.objects();
    const done = kernel.done.length;
    const planned = words(await plan());
    assert.deepEqual(kernel.objects(), before);
    await work();
    assert.deepEqual(planned, words(kernel.done.slice(done)));
    return planned;
  };
  const unlink = (alias: string) =>
    same(
      () => testbed.networks.planRemoveLink(`web/${alias}`),
      () => testbed.networks.removeLink(`web/${alias}`),
    );
  assert.equal((await unlink('db')).length, 1, 'the line of hosts: the other alias needs the way');
  assert.match((await unlink('store')).join(), /"delete".*link_allow/);
  const release = (id: string) =>
    same(
      () => testbed.networks.planRelease(id),
      () => testbed.stop(id),
    );
  assert.match((await release(containerId)).join(), /"netns".*8801/);
  assert.deepEqual(await release(containerId), []);
  await assert.rejects(testbed.networks.planRemoveLink('web/db'), refuses('not-found', 'No such container: web/db'));
  await release(child.containerId);
});

test('a host-mode container with a bridge endpoint, as old versions stored it, can be removed', async () => {
  const { containerId, ...state } = await testbed.run('old', { mode: { kind: 'host' } });
  const config = testbed.networks.config(containerId);
  const web = await testbed.run('web');
  const [endpoint] = web.endpoints;
  assert.ok(config && endpoint);
  await testbed.remove(web.containerId);
  const before = kernel.objects();
  await testbed.networks.close();
  const endpoints = [...config.endpoints, endpoint.config];
  testbed.store.putSandbox({ ...config, endpoints }, { ...state, endpoints: [...state.endpoints, endpoint] });
  testbed.store.putLease(endpoint.networkId, endpoint.addresses.v4?.address ?? '', containerId);
  await testbed.open().start([containerId]);
  assert.deepEqual(await testbed.networks.planRelease(containerId), []);
  await testbed.stop(containerId);
  await assert.rejects(testbed.start(containerId), refuses('invalid', /^container sharing network namespace/));
  await testbed.remove(containerId);
  assert.deepEqual(testbed.store.sandboxes(), []);
  assert.deepEqual(testbed.store.leases(endpoint.networkId), []);
  assert.deepEqual(kernel.objects(), before);
});
