/** Tests when a container's namespace is repaired, on an in-memory kernel. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { silentLogger } from '@netyard/core';
import type { KernelObject } from '@netyard/kernel';
import { FakeKernel } from '@netyard/testkit';
import type { SandboxState } from '../src/index.ts';
import { Testbed } from './testbed.ts';

async function until(what: string, holds: () => boolean): Promise<void> {
  for (let attempt = 0; attempt < 1000; attempt += 1) {
    if (holds()) return;
    await pause(10);
  }
  assert.fail(what);
}

const routeOf = ({ netnsPath = '' }: SandboxState): KernelObject => ({
  ...{ kind: 'route', ns: netnsPath, to: 'default', family: 4, via: '172.17.0.1', link: 'eth0' },
});

async function openWatched() {
  const kernel = new FakeKernel();
  const errors: string[] = [];
  const testbed = new Testbed({ kernel, logger: { ...silentLogger, error: (message) => void errors.push(message) } });
  await testbed.networks.start([]);
  const web = await testbed.run('web');
  const hasRoute = (): boolean => kernel.objects().some(({ kind }) => kind === 'route');
  const breakRoute = (): void => {
    kernel.vanish(routeOf(web));
    kernel.namespaceWatches[0]?.change(web.netnsPath ?? '');
  };
  return { kernel, errors, testbed, web, hasRoute, breakRoute };
}

test('a reported namespace is repaired and watched again; an intact one emits no event', async () => {
  const { kernel, testbed, web, hasRoute, breakRoute } = await openWatched();
  for (let round = 1; round <= 2; round += 1) {
    breakRoute();
    assert.ok(!hasRoute());
    await until('the route is back', hasRoute);
    const repairs = testbed.events.filter(({ action }) => action === 'repair');
    assert.equal(repairs.length, round);
    assert.deepEqual(repairs.at(-1)?.repaired, ['route']);
    const done = repairs.at(-1)?.operations?.map(({ action, object }) => `${action} ${object.kind}`);
    assert.deepEqual(done, ['create route']);
  }
  const { armed } = kernel.namespaceWatches[0] ?? assert.fail();
  kernel.namespaceWatches[0]?.change(web.netnsPath ?? '');
  await until('it is watched again', () => armed.get(web.netnsPath ?? '') === true);
  await testbed.networks.close();
  assert.equal(testbed.events.filter(({ action }) => action === 'repair').length, 2);
  assert.equal(armed.size, 0);
});

test('a container that stops after its namespace was reported is not repaired', async () => {
  const { kernel, errors, testbed, web, breakRoute } = await openWatched();
  breakRoute();
  await testbed.stop(web.containerId);
  await pause(200); // longer than the debounce of changes
  await testbed.networks.close();
  assert.ok(!kernel.objects().some((object) => 'ns' in object && object.ns === web.netnsPath));
  assert.deepEqual(errors, []);
});

test('a failed repair is logged, reported by an event, and retried', async () => {
  const { kernel, errors, testbed, hasRoute, breakRoute } = await openWatched();
  kernel.failAtStep(1);
  breakRoute();
  await until('the route is back', hasRoute);
  assert.deepEqual(errors, ['repairing a container namespace failed']);
  const failures = testbed.events.filter(({ action }) => action === 'repair-failed');
  assert.equal(failures.length, 1);
  assert.equal(failures[0]?.networkName, 'bridge');
  assert.notEqual(failures[0]?.detail ?? '', '');
  await testbed.networks.close();
});

test('a container holds the watch on its namespace, or on the one that it has joined', async () => {
  const { kernel, testbed, web } = await openWatched();
  const { held } = kernel.namespaceWatches[0] ?? assert.fail();
  const sharer = await testbed.run('sharer', { mode: { kind: 'container', ref: 'web' } });
  const onHost = await testbed.run('host', { mode: { kind: 'host' } });
  const releases = [web, sharer, onHost].map(({ containerId }) => testbed.networks.holdWatch(containerId));
  assert.deepEqual(held, [web.netnsPath, web.netnsPath]);
  for (const release of releases) release();
  assert.deepEqual(held, []);
  testbed.networks.holdWatch('unknown')();
  await testbed.networks.close();
});

test('only a private namespace is watched, and only if repair is enabled', async () => {
  const { kernel, testbed, web } = await openWatched();
  const none = await testbed.run('none', { mode: { kind: 'none' } });
  await testbed.run('host', { mode: { kind: 'host' } });
  await testbed.run('sharer', { mode: { kind: 'container', ref: 'web' } });
  await testbed.run('vpn', {}, { netAdmin: true });
  await testbed.run('loose', {}, { repair: false });
  const watched = [...(kernel.namespaceWatches[0]?.armed.keys() ?? [])];
  assert.deepEqual(watched.toSorted(), [`${web.netnsPath}`, `${none.netnsPath}`].toSorted());
  await testbed.networks.close();
});
