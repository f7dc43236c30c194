/** Volumes with a file system of their own, on fakes: mounted for the first user, unmounted after the last. */
import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { kernelError } from '@netyard/kernel';
import type { ContainerConfig } from '../src/index.ts';
import { type Harness, openHarness, until } from './fakes/harness.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await openHarness();
});
afterEach(() => harness.close());

const options = { type: 'tmpfs', device: 'tmpfs', o: 'size=1m,noexec' };
const create = () => harness.engine.volumes.create({ name: 'memory', driver: 'local', options, labels: {} });
const using: Partial<ContainerConfig> = {
  mounts: [{ type: 'volume', source: 'memory', target: '/data', readOnly: false, noCopy: true }],
};
const mounted = (): string[] => [...harness.mounts.mounted.keys()];
const ended = (id: string): Promise<void> => until(() => harness.state(id).status === 'exited');
const remove = (id: string) => harness.engine.containers.remove(id, { force: true, volumes: false, link: false });

test('the first container mounts, the last unmounts', async () => {
  const { mountpoint } = await create();
  assert.deepEqual(mounted(), []);
  const first = await harness.run(using);
  assert.deepEqual(
    [...harness.mounts.mounted],
    [[mountpoint, { source: 'tmpfs', type: 'tmpfs', flags: 8, data: 'size=1m' }]],
  );
  const second = await harness.run(using);
  harness.runtime.exit(first, 0);
  await ended(first);
  assert.deepEqual(mounted(), [mountpoint]);
  await remove(second);
  assert.deepEqual(mounted(), []);
});

test('a restarted daemon keeps a mount in use, and unmounts an unused one', async () => {
  const { mountpoint } = await create();
  const id = await harness.run(using);
  await harness.restart();
  assert.deepEqual(mounted(), [mountpoint]);
  await remove(id);
  assert.deepEqual(mounted(), []);
  harness.mounts.mounted.set(mountpoint, { source: '', type: '', flags: 0, data: '' });
  await harness.restart();
  assert.deepEqual(mounted(), []);
});

test('a failed mount fails the start, and a failed start unmounts', async () => {
  const { mountpoint } = await create();
  harness.mounts.mountFailure = kernelError(16, 'mount -t tmpfs', mountpoint);
  const message =
    `error while mounting volume '${mountpoint}': failed to mount local volume: ` +
    `mount tmpfs:${mountpoint}, flags: 0x8, data: size=1m: device or resource busy`;
  await assert.rejects(harness.run(using, 'aa'), { message });
  harness.mounts.mountFailure = undefined;
  const other = await harness.engine.volumes.create({
    name: 'bad',
    driver: '',
    options: { ...options, device: '' },
    labels: {},
  });
  const both = { mounts: [...(using.mounts ?? []), { type: 'volume', source: 'bad', target: '/b', readOnly: false }] };
  await assert.rejects(harness.run(both as Partial<ContainerConfig>), /missing device in volume options/);
  assert.ok(existsSync(other.mountpoint));
  assert.deepEqual(mounted(), []);
});

test('a volume that cannot be unmounted keeps its files and its record', async () => {
  const { mountpoint } = await create();
  const id = await harness.run(using);
  writeFileSync(join(mountpoint, 'file'), '');
  harness.mounts.unmountFailure = kernelError(16, 'umount', mountpoint);
  await remove(id);
  await assert.rejects(harness.engine.volumes.remove('memory', false), /^NetyardError: remove memory: umount /);
  assert.ok(existsSync(join(mountpoint, 'file')));
  harness.mounts.unmountFailure = undefined;
  await harness.engine.volumes.remove('memory', false);
  assert.ok(!existsSync(mountpoint));
  assert.deepEqual(mounted(), []);
});

test('a mount that is to be read-only with all below it is read-only for a runtime without that option as well', async () => {
  const bind = (target: string, change: { readOnly: boolean; readOnlyNonRecursive?: true }) =>
    ({ type: 'bind', source: harness.directory, target, ...change }) as const;
  const mounts = [
    bind('/all', { readOnly: true }),
    bind('/top', { readOnly: true, readOnlyNonRecursive: true }),
    bind('/none', { readOnly: false }),
  ];
  const id = await harness.run({ mounts });
  const access = (target: string) =>
    harness.runtime.tasks
      .get(id)
      ?.spec.mounts.find((mount) => mount.target === target)
      ?.options.filter((option) => /^r?r[ow]$/.test(option));
  assert.deepEqual(['/all', '/top', '/none'].map(access), [['ro', 'rro'], ['ro'], ['rw']]);
});
