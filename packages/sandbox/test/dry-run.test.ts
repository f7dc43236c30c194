/** Tests that a dry run returns exactly the operations that the operation itself then performs on the kernel. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { afterEach, beforeEach, test } from 'node:test';
import type { KernelOperation } from '@netyard/kernel';
import type { FakeKernel } from '@netyard/testkit';
import { openFakeTestbed, openFront, tcp } from './fake-testbed.ts';
import type { Testbed } from './testbed.ts';

let kernel: FakeKernel;
let testbed: Testbed;

beforeEach(async () => {
  ({ kernel, testbed } = await openFakeTestbed());
});
afterEach(() => testbed.close());

/** Interface names on the host are random: they are replaced by their order of appearance. */
function normalise(operations: readonly KernelOperation[]): string[] {
  const names = new Map<string, string>();
  const nameOf = (name: string): string => {
    if (!names.has(name)) names.set(name, `link${names.size}`);
    return names.get(name) ?? '';
  };
  return operations.map((operation) => JSON.stringify(operation).replace(/\bny-[0-9a-f]{12}\b/g, nameOf));
}

/** The kernel in memory writes no files, but the operations read the hosts files that they edit. */
function writeFiles(): void {
  for (const object of kernel.objects()) if (object.kind === 'file') writeFileSync(object.path, object.content);
}

/** Runs both, and compares their operations. Returns the number of operations. */
async function compare(plan: () => Promise<KernelOperation[]>, run: () => Promise<unknown>): Promise<number> {
  writeFiles();
  const before = kernel.done.length;
  const planned = await plan();
  assert.equal(kernel.done.length, before, 'a dry run changes nothing');
  await run();
  assert.deepEqual(normalise(planned), normalise(kernel.done.slice(before)));
  return planned.length;
}

const compareStart = (id: string): Promise<number> =>
  compare(
    () => testbed.networks.planPrepare(id),
    () => testbed.start(id),
  );
const compareStop = (id: string): Promise<number> =>
  compare(
    () => testbed.networks.planRelease(id),
    () => testbed.stop(id),
  );
const compareConnect = (id: string, network: string, gatewayPriority?: number): Promise<number> => {
  const config = { network, ...(gatewayPriority === undefined ? {} : { gatewayPriority }) };
  return compare(
    () => testbed.networks.planConnect(network, id, config),
    () => testbed.networks.connect(network, id, config),
  );
};
const compareDisconnect = (id: string, network: string): Promise<number> =>
  compare(
    () => testbed.networks.planDisconnect(network, id, false),
    () => testbed.networks.disconnect(network, id, false),
  );

test('start and stop: a container with ports and settings', async () => {
  const id = await testbed.create('web', { ports: [tcp(8801)], sysctls: { 'net.core.somaxconn': '7' } });
  assert.equal(await compareStart(id), 15);
  assert.equal(await compareStop(id), 4);
  assert.equal(await compareStart(id), 13);
});

test('start and stop: a link target, whose parents get its address', async () => {
  const db = await testbed.create('db');
  await testbed.start(db);
  await testbed.create('web', { links: ['db:db'] });
  const web =
    testbed.containers
      .values()
      .toArray()
      .find(({ name }) => name === 'web')?.id ?? '';
  await compareStart(web);
  await compareStop(db);
  const other = await testbed.run('other');
  await compareStart(db);
  await compareStop(other.containerId);
});

test('start and stop: a container that joins a namespace', async () => {
  const owner = await testbed.run('owner');
  const sharer = await testbed.create('sharer', {
    mode: { kind: 'container', ref: owner.containerId },
    sysctls: { 'net.core.somaxconn': '9' },
  });
  await compareStart(sharer);
  await compareStop(owner.containerId);
  await compareStop(sharer);
});

test('connect and disconnect: the default route and the ports move', async () => {
  await openFront(testbed);
  const web = await testbed.run('web', { ports: [tcp(8801)] });
  await compareConnect(web.containerId, 'front', 5);
  await compareDisconnect(web.containerId, 'front');
  await compareConnect(web.containerId, 'front');
  await compareDisconnect(web.containerId, 'bridge');
  await compareDisconnect(web.containerId, 'front');
  await compareConnect(web.containerId, 'bridge');
});

test('connect and disconnect: a link is set up and removed with the default bridge', async () => {
  await openFront(testbed);
  await testbed.networks.close();
  await testbed.open({ icc: false }).start([]);
  const db = await testbed.run('db', { exposed: [{ protocol: 'tcp', port: 5432 }] });
  const web = await testbed.run('web', { links: ['db:db'] });
  await compareDisconnect(db.containerId, 'bridge');
  await compareConnect(db.containerId, 'bridge');
  await compareConnect(web.containerId, 'front');
  await compare(
    () => testbed.networks.planRemoveLink('web/db'),
    () => testbed.networks.removeLink('web/db'),
  );
  await compareStop(web.containerId);
  await compareStop(db.containerId);
});
