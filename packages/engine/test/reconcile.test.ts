/** A restarted daemon: containers that run, that are half-created, and that are to be restarted. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { newId } from '@netyard/core';
import type { MountRequest } from '../src/model.ts';
import { containerDirectory } from '../src/paths.ts';
import { configOf } from './fakes/container-config.ts';
import { type Harness, openHarness, until } from './fakes/harness.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await openHarness();
});
afterEach(() => harness.close());

test('running and paused containers continue, and can be stopped', async () => {
  const running = await harness.run();
  const paused = await harness.run();
  await harness.engine.containers.pause(paused);
  const { pid, startedAt } = harness.state(running);
  await harness.restart();
  assert.ok(harness.networks.calls.includes('start 2'));
  assert.deepEqual([harness.state(running).pid, harness.state(running).startedAt], [pid, startedAt]);
  assert.equal(harness.state(paused).status, 'paused');
  assert.deepEqual([...harness.rootfs.detached].sort(), [running, paused].sort());
  await harness.engine.containers.stop(running, {});
  assert.equal(harness.state(running).status, 'exited');
});

test('a start that was not recorded counts as a start', async () => {
  const id = await harness.run();
  const record = harness.store.records.get(id);
  assert.ok(record);
  harness.store.putContainer({
    ...record,
    state: { ...record.state, status: 'created', pid: 0, startedAt: undefined },
  });
  await harness.restart();
  assert.equal(harness.state(id).status, 'running');
  assert.equal(harness.state(id).pid, harness.runtime.tasks.get(id)?.pid);
});

test('an interrupted start is rolled back', async () => {
  const { id } = await harness.engine.containers.create({ name: undefined, config: configOf() });
  harness.runtime.onCreate = (spec) => {
    const stdio = spec.stdio;
    harness.runtime.tasks.set(id, { id, status: 'created', pid: 1, stdio, spec });
    throw new Error('killed');
  };
  await assert.rejects(harness.engine.containers.start(id));
  harness.rootfs.mounted.add(id);
  await harness.restart();
  assert.equal(harness.state(id).status, 'created');
  assert.deepEqual([...harness.runtime.tasks], []);
  assert.deepEqual([...harness.rootfs.mounted], []);
});

test('preparations for a deleted container are removed at a start and by a clean-up', async () => {
  const [first, second] = [newId(), newId()];
  const running = await harness.run();
  harness.runtime.prepare(first);
  await harness.restart();
  assert.deepEqual(harness.runtime.prepared(), [running]);
  harness.runtime.prepare(second);
  assert.deepEqual(await harness.engine.system.cleanup({ dryRun: true }), [`container ${second}`]);
  await harness.engine.system.cleanup({ dryRun: false });
  assert.deepEqual(harness.runtime.prepared(), [running]);
});

test('a failed start leaves none of its preparations', async () => {
  const { id } = await harness.engine.containers.create({ name: undefined, config: configOf() });
  harness.runtime.onCreate = () => {
    throw new Error('no space');
  };
  await assert.rejects(harness.engine.containers.start(id));
  assert.deepEqual(harness.runtime.prepared(), []);
});

/** The daemon is killed while it removes the container's files: nothing after that happens. */
async function interruptRemoval(id: string, options: { volumes: boolean }): Promise<void> {
  const reached = Promise.withResolvers<void>();
  const { remove } = harness.rootfs;
  harness.rootfs.remove = () => {
    reached.resolve();
    return new Promise(() => {});
  };
  void harness.engine.containers.remove(id, { force: false, link: false, ...options });
  await reached.promise;
  harness.rootfs.remove = remove;
  await harness.restart();
}

const volumeMount = (source: string, target: string): MountRequest => ({
  type: 'volume',
  source,
  target,
  readOnly: false,
});

for (const volumes of [false, true])
  test(`an interrupted removal ${volumes ? 'with' : 'without'} volumes is finished as requested`, async () => {
    const { id } = await harness.engine.containers.create({
      name: undefined,
      config: configOf({ volumes: ['/data'] }),
    });
    await interruptRemoval(id, { volumes });
    assert.equal(harness.store.records.size, 0);
    assert.equal(harness.store.volumeRecords.size, volumes ? 0 : 1);
    assert.equal(harness.networks.configs.size, 0);
    assert.deepEqual(readdirSync(join(harness.directory, 'rootfs')), []);
  });

test('an interrupted creation is rolled back with the volumes that it created, and no others', async () => {
  const first = await harness.engine.containers.create({ name: undefined, config: configOf({ volumes: ['/data'] }) });
  await harness.engine.containers.remove(first.id, { force: false, link: false, volumes: false });
  const [kept = ''] = harness.store.volumeRecords.keys();
  const { withMounted } = harness.rootfs;
  harness.rootfs.withMounted = () => new Promise(() => {});
  const config = configOf({ volumes: ['/data'], mounts: [volumeMount(kept, '/kept')] });
  void harness.engine.containers.create({ name: undefined, config });
  await until(() => harness.store.unfinished.size === 1 && harness.store.volumeRecords.size === 2);
  harness.rootfs.withMounted = withMounted;
  await harness.restart();
  assert.equal(harness.store.records.size, 0);
  assert.deepEqual([...harness.store.volumeRecords.keys()], [kept]);
});

test('an anonymous volume that a later container names stays when that one is removed with its volumes', async () => {
  const first = await harness.engine.containers.create({ name: undefined, config: configOf({ volumes: ['/data'] }) });
  const [kept = ''] = harness.store.volumeRecords.keys();
  const config = configOf({ mounts: [volumeMount(kept, '/kept')] });
  const second = await harness.engine.containers.create({ name: undefined, config });
  const inherits = configOf({ volumesFrom: [second.id] });
  const third = await harness.engine.containers.create({ name: undefined, config: inherits });
  const remove = (id: string, volumes: boolean) =>
    harness.engine.containers.remove(id, { force: false, link: false, volumes });
  await remove(first.id, false);
  await remove(second.id, true);
  await remove(third.id, true);
  assert.deepEqual([...harness.store.volumeRecords.keys()], [kept]);
});

test('what an older database lists as unfinished and was finished since keeps its task, folders and volumes', async () => {
  const running = await harness.run({ volumes: ['/data'] });
  const stopped = await harness.run({ volumes: ['/data'] });
  await harness.engine.containers.stop(stopped, {});
  for (const [id, status] of [
    [running, 'removing'],
    [stopped, 'dead'],
  ] as const) {
    const record = harness.store.records.get(id);
    assert.ok(record);
    // As the copy has it: the record is unfinished, the disk has no mark of that.
    harness.store.records.set(id, { ...record, state: { ...record.state, status, startedAt: undefined } });
  }
  await harness.restart();
  assert.equal(harness.runtime.tasks.get(running)?.status, 'running');
  assert.deepEqual(readdirSync(join(harness.directory, 'rootfs')).sort(), [running, stopped].sort());
  for (const id of [running, stopped]) assert.ok(existsSync(containerDirectory(harness.settings, id)));
  assert.equal(harness.store.volumeRecords.size, 2);
  assert.deepEqual(
    (await harness.engine.system.cleanup({ dryRun: true })).sort(),
    [running, stopped].map((id) => `kept: container ${id}, which has data but no record`).sort(),
  );
});

test('a container with --rm that does not run is removed, whenever it ended', async () => {
  await harness.engine.containers.create({ name: undefined, config: configOf({ autoRemove: true }) });
  const id = await harness.run({ autoRemove: true });
  await harness.engine.stop({ stopContainers: false });
  harness.runtime.exit(id, 0);
  await harness.restart();
  assert.equal(harness.store.records.size, 0);
});

test('directories without a record are kept, listed, and removed only on request', async () => {
  const id = newId();
  mkdirSync(containerDirectory(harness.settings, id), { recursive: true });
  mkdirSync(join(harness.directory, 'rootfs', id), { recursive: true });
  await harness.restart();
  const stays = (): void => {
    assert.ok(existsSync(containerDirectory(harness.settings, id)));
    assert.deepEqual(readdirSync(join(harness.directory, 'rootfs')), [id]);
  };
  stays();
  const { system } = harness.engine;
  assert.deepEqual(await system.cleanup({ dryRun: false }), [`kept: container ${id}, which has data but no record`]);
  stays();
  assert.deepEqual(await system.cleanup({ dryRun: true, unknownData: true }), [`container ${id} and its data`]);
  stays();
  await system.cleanup({ dryRun: false, unknownData: true });
  assert.equal(existsSync(containerDirectory(harness.settings, id)), false);
  assert.deepEqual(readdirSync(join(harness.directory, 'rootfs')), []);
});

test('a clean-up leaves containers alone that are being created or started', async () => {
  const { containers, system } = harness.engine;
  const cleanUp = (): Promise<string[]> => system.cleanup({ dryRun: false, unknownData: true });
  const makeFolder = harness.rootfs.create.bind(harness.rootfs);
  harness.rootfs.create = async (id) => {
    await makeFolder(id);
    assert.deepEqual(await cleanUp(), []);
  };
  const { id } = await containers.create({ name: undefined, config: configOf() });
  assert.ok(existsSync(join(harness.directory, 'rootfs', id)));

  let cleaning: Promise<string[]> | undefined;
  const create = harness.runtime.create.bind(harness.runtime);
  harness.runtime.create = async (spec) => {
    cleaning = cleanUp();
    for (let turns = 0; turns < 50; turns += 1) await new Promise((resolve) => setImmediate(resolve));
    assert.ok(existsSync(spec.stdio.stdout), 'its pipes exist');
    return create(spec);
  };
  await containers.start(id);
  assert.deepEqual(await cleaning, []);
  assert.equal(harness.state(id).status, 'running');
});

test('a lost database kills no container and deletes no layer', async () => {
  const id = await harness.run();
  harness.store.records.clear();
  await harness.restart();
  assert.equal(harness.runtime.tasks.get(id)?.status, 'running');
  assert.deepEqual(readdirSync(join(harness.directory, 'rootfs')), [id]);
});

test('restart policies decide which containers are started after a reboot, targets of links first', async () => {
  const policy = (name: 'always' | 'unless-stopped' | 'on-failure' | 'no') => ({
    restartPolicy: { name, maximumRetryCount: 0 },
  });
  const parent = await harness.run(policy('always'));
  const child = await harness.run(policy('unless-stopped'));
  const stopped = await harness.run(policy('unless-stopped'));
  const plain = await harness.run(policy('no'));
  const never = (await harness.engine.containers.create({ name: undefined, config: configOf(policy('always')) })).id;
  await harness.engine.containers.stop(stopped, {});
  harness.networks.linkRecords = [{ parentId: parent, childId: child, alias: 'child' }];
  await harness.engine.stop({ stopContainers: true });
  assert.equal(harness.state(parent).status, 'exited');
  harness.runtime.calls.length = 0;
  await harness.restart();
  assert.deepEqual(harness.runtime.calls, [`create ${child}`, `create ${parent}`]);
  for (const id of [stopped, plain]) assert.equal(harness.state(id).status, 'exited');
  assert.equal(harness.state(never).status, 'created');
});

test('after an interruption of the runtime’s events, missed exits are found', async () => {
  const id = await harness.run();
  const task = harness.runtime.tasks.get(id);
  assert.ok(task);
  task.status = 'stopped';
  task.exit = { exitCode: 5, exitedAt: 1n };
  harness.runtime.emit({ type: 'resync' });
  await until(() => harness.state(id).status === 'exited');
  assert.equal(harness.state(id).exitCode, 5);
});
