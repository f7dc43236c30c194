/** A daemon that comes back: what was running, what was half-made, what is to be started again. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { newId } from '@netyard/core';
import { containerDirectory } from '../src/paths.ts';
import { configOf } from './fakes/container-config.ts';
import { openWorld, until, type World } from './fakes/world.ts';

let world: World;
beforeEach(async () => {
  world = await openWorld();
});
afterEach(() => world.close());

test('running and paused containers go on, and can be stopped', async () => {
  const running = await world.run();
  const paused = await world.run();
  await world.engine.containers.pause(paused);
  const { pid, startedAt } = world.state(running);
  await world.restart();
  assert.ok(world.networks.calls.includes('start 2'));
  assert.deepEqual([world.state(running).pid, world.state(running).startedAt], [pid, startedAt]);
  assert.equal(world.state(paused).status, 'paused');
  await world.engine.containers.stop(running, {});
  assert.equal(world.state(running).status, 'exited');
});

test('a start that was not written down any more is a start', async () => {
  const id = await world.run();
  const record = world.store.records.get(id);
  assert.ok(record);
  world.store.putContainer({ ...record, state: { ...record.state, status: 'created', pid: 0, startedAt: undefined } });
  await world.restart();
  assert.equal(world.state(id).status, 'running');
  assert.equal(world.state(id).pid, world.runtime.tasks.get(id)?.pid);
});

test('a start that was cut short is undone', async () => {
  const { id } = await world.engine.containers.create({ name: undefined, config: configOf() });
  world.runtime.onCreate = (spec) => {
    const stdio = spec.stdio;
    world.runtime.tasks.set(id, { id, status: 'created', pid: 1, stdio, spec });
    throw new Error('killed');
  };
  await assert.rejects(world.engine.containers.start(id));
  world.rootfs.mounted.add(id);
  await world.restart();
  assert.equal(world.state(id).status, 'created');
  assert.deepEqual([...world.runtime.tasks], []);
  assert.deepEqual([...world.rootfs.mounted], []);
});

test('what was prepared for a container that is gone is taken away at a start, and by a clean-up', async () => {
  const [first, second] = [newId(), newId()];
  const running = await world.run();
  world.runtime.prepare(first);
  await world.restart();
  assert.deepEqual(world.runtime.prepared(), [running]);
  world.runtime.prepare(second);
  assert.deepEqual(await world.engine.system.cleanup({ dryRun: true }), [`container ${second}`]);
  await world.engine.system.cleanup({ dryRun: false });
  assert.deepEqual(world.runtime.prepared(), [running]);
});

test('a start that fails leaves nothing that was prepared for it', async () => {
  const { id } = await world.engine.containers.create({ name: undefined, config: configOf() });
  world.runtime.onCreate = () => {
    throw new Error('no space');
  };
  await assert.rejects(world.engine.containers.start(id));
  assert.deepEqual(world.runtime.prepared(), []);
});

test('a removal and a creation that were cut short are finished, volumes included', async () => {
  const id = await world.run({ volumes: ['/data'] });
  const record = world.store.records.get(id);
  assert.ok(record);
  world.runtime.tasks.delete(id);
  world.store.putContainer({ ...record, state: { ...record.state, status: 'removing', startedAt: undefined } });
  await world.restart();
  assert.equal(world.store.records.size, 0);
  assert.equal(world.store.volumeRecords.size, 0);
  assert.equal(world.networks.configs.size, 0);
  assert.deepEqual(readdirSync(join(world.directory, 'rootfs')), []);
});

test('a container with --rm that does not run is removed, whenever it ended', async () => {
  await world.engine.containers.create({ name: undefined, config: configOf({ autoRemove: true }) });
  const id = await world.run({ autoRemove: true });
  await world.engine.stop({ stopContainers: false });
  world.runtime.exit(id, 0);
  await world.restart();
  assert.equal(world.store.records.size, 0);
});

test('folders without a record are kept, listed, and go only when that is asked for', async () => {
  const id = newId();
  mkdirSync(containerDirectory(world.settings, id), { recursive: true });
  mkdirSync(join(world.directory, 'rootfs', id), { recursive: true });
  await world.restart();
  const stays = (): void => {
    assert.ok(existsSync(containerDirectory(world.settings, id)));
    assert.deepEqual(readdirSync(join(world.directory, 'rootfs')), [id]);
  };
  stays();
  const { system } = world.engine;
  assert.deepEqual(await system.cleanup({ dryRun: false }), [`kept: container ${id}, which has data but no record`]);
  stays();
  assert.deepEqual(await system.cleanup({ dryRun: true, unknownData: true }), [`container ${id} and its data`]);
  stays();
  await system.cleanup({ dryRun: false, unknownData: true });
  assert.equal(existsSync(containerDirectory(world.settings, id)), false);
  assert.deepEqual(readdirSync(join(world.directory, 'rootfs')), []);
});

test('a clean-up leaves containers alone that are being made or started', async () => {
  const { containers, system } = world.engine;
  const cleanUp = (): Promise<string[]> => system.cleanup({ dryRun: false, unknownData: true });
  const makeFolder = world.rootfs.create.bind(world.rootfs);
  world.rootfs.create = async (id) => {
    await makeFolder(id);
    assert.deepEqual(await cleanUp(), []);
  };
  const { id } = await containers.create({ name: undefined, config: configOf() });
  assert.ok(existsSync(join(world.directory, 'rootfs', id)));

  let cleaning: Promise<string[]> | undefined;
  const create = world.runtime.create.bind(world.runtime);
  world.runtime.create = async (spec) => {
    cleaning = cleanUp();
    for (let turns = 0; turns < 50; turns += 1) await new Promise((resolve) => setImmediate(resolve));
    assert.ok(existsSync(spec.stdio.stdout), 'its pipes are there');
    return create(spec);
  };
  await containers.start(id);
  assert.deepEqual(await cleaning, []);
  assert.equal(world.state(id).status, 'running');
});

test('a lost database kills no container and deletes no layer', async () => {
  const id = await world.run();
  world.store.records.clear();
  await world.restart();
  assert.equal(world.runtime.tasks.get(id)?.status, 'running');
  assert.deepEqual(readdirSync(join(world.directory, 'rootfs')), [id]);
});

test('restart policies decide what comes back after a reboot, targets of links first', async () => {
  const policy = (name: 'always' | 'unless-stopped' | 'on-failure' | 'no') => ({
    restartPolicy: { name, maximumRetryCount: 0 },
  });
  const parent = await world.run(policy('always'));
  const child = await world.run(policy('unless-stopped'));
  const stopped = await world.run(policy('unless-stopped'));
  const plain = await world.run(policy('no'));
  const never = (await world.engine.containers.create({ name: undefined, config: configOf(policy('always')) })).id;
  await world.engine.containers.stop(stopped, {});
  world.networks.linkRecords = [{ parentId: parent, childId: child, alias: 'child' }];
  await world.engine.stop({ stopContainers: true });
  assert.equal(world.state(parent).status, 'exited');
  world.runtime.calls.length = 0;
  await world.restart();
  assert.deepEqual(world.runtime.calls, [`create ${child}`, `create ${parent}`]);
  for (const id of [stopped, plain]) assert.equal(world.state(id).status, 'exited');
  assert.equal(world.state(never).status, 'created');
});

test('when the runtime’s events were interrupted, what ended meanwhile is found', async () => {
  const id = await world.run();
  const task = world.runtime.tasks.get(id);
  assert.ok(task);
  task.status = 'stopped';
  task.exit = { exitCode: 5, exitedAt: 1n };
  world.runtime.tell({ type: 'resync' });
  await until(() => world.state(id).status === 'exited');
  assert.equal(world.state(id).exitCode, 5);
});
