/** A restarted daemon: containers that run, that are half-created, and that are to be restarted. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { newId } from '@netyard/core';
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

test('preparations for a container that is gone are removed at a start, and by a clean-up', async () => {
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

test('an interrupted removal or creation is finished, volumes included', async () => {
  const id = await harness.run({ volumes: ['/data'] });
  const record = harness.store.records.get(id);
  assert.ok(record);
  harness.runtime.tasks.delete(id);
  const removing = { ...record.state, status: 'removing', startedAt: undefined } as const;
  harness.store.putUnfinishedContainer({ ...record, state: removing });
  await harness.restart();
  assert.equal(harness.store.records.size, 0);
  assert.equal(harness.store.volumeRecords.size, 0);
  assert.equal(harness.networks.configs.size, 0);
  assert.deepEqual(readdirSync(join(harness.directory, 'rootfs')), []);
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
