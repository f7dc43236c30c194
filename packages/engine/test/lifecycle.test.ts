/** A container's life on fakes: its states, Docker's messages, and what it leaves behind. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { isNetyardError, NetyardError } from '@netyard/core';
import { plainConfig } from '../src/index.ts';
import { containerDirectory, ioDirectory } from '../src/paths.ts';
import { configOf } from './fakes/container-config.ts';
import { type Harness, openHarness, until } from './fakes/harness.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await openHarness();
});
afterEach(() => harness.close());

const actions = (): string[] => harness.events.map((event) => event.action);
const rejectsWith = (work: Promise<unknown>, code: string, message: RegExp | string): Promise<void> =>
  assert.rejects(work, (error) => {
    assert.ok(isNetyardError(error), String(error));
    assert.equal(error.code, code);
    if (typeof message === 'string') assert.equal(error.message, message);
    else assert.match(error.message, message);
    return true;
  });

function assertNothingLeft(): void {
  assert.equal(harness.store.records.size, 0);
  assert.deepEqual([...harness.runtime.tasks], []);
  assert.deepEqual([...harness.networks.configs], []);
  assert.deepEqual([...harness.networks.states], []);
  assert.deepEqual([...harness.rootfs.mounted], []);
  for (const folder of ['rootfs', 'exec/containers', 'data/containers', 'data/volumes']) {
    const path = join(harness.directory, folder);
    assert.deepEqual(existsSync(path) ? readdirSync(path) : [], [], folder);
  }
}

test('create, start, stop and remove leave nothing behind and emit an event for each step', async () => {
  const { containers } = harness.engine;
  const id = await harness.run({}, 'nginx-1');
  assert.equal(harness.state(id).status, 'running');
  const task = harness.runtime.tasks.get(id)?.spec;
  assert.deepEqual(task?.args, ['nginx']);
  assert.deepEqual(task?.env, ['PATH=/bin', `HOSTNAME=${id.slice(0, 12)}`, 'FROM=image']);
  assert.deepEqual(
    task?.mounts.map(({ target }) => target),
    ['/etc/hosts', '/etc/hostname', '/etc/resolv.conf'],
  );
  await containers.stop('nginx-1', {});
  assert.equal(harness.state(id).status, 'exited');
  assert.equal(harness.state(id).exitCode, 143);
  assert.deepEqual([...harness.networks.states], []);
  await containers.remove(id.slice(0, 6), { force: false, volumes: false, link: false });
  assertNothingLeft();
  await until(() => actions().includes('destroy'));
  assert.deepEqual(actions(), ['create', 'start', 'kill', 'die', 'stop', 'destroy']);
  const die = harness.events.find((event) => event.action === 'die');
  assert.deepEqual(die?.attributes, {
    of: 'image',
    exitCode: '143',
    execDuration: '0',
    image: 'nginx-web01',
    name: 'nginx-1',
  });
});

test('a missing command leaves the container created, with code 127 and the runtime’s message', async () => {
  harness.runtime.onCreate = () => {
    throw new NetyardError('invalid', 'exec: "nginy": executable file not found in $PATH');
  };
  const { containers } = harness.engine;
  const { id } = await containers.create({ name: 'xx', config: configOf({ command: ['nginy'] }) });
  await rejectsWith(
    containers.start('xx'),
    'invalid',
    'failed to create task for container: failed to create shim task: OCI runtime create failed: ' +
      'unable to start container process: exec: "nginy": executable file not found in $PATH: unknown',
  );
  assert.equal(harness.state(id).status, 'created');
  assert.equal(harness.state(id).exitCode, 127);
  assert.deepEqual([...harness.networks.states], []);
  assert.deepEqual([...harness.rootfs.mounted], []);
  assert.equal(existsSync(ioDirectory(harness.settings, id)), false);
  harness.runtime.onCreate = undefined;
  await containers.start('xx');
  assert.equal(harness.state(id).status, 'running');
  assert.equal(harness.state(id).error, '');
});

test('a network that cannot be created rolls the start back, and --rm removes the container', async () => {
  harness.networks.onPrepare = () => {
    throw new NetyardError('failed', 'Bind for 0.0.0.0:80 failed: port is already allocated');
  };
  const { containers } = harness.engine;
  const { id } = await containers.create({ name: undefined, config: configOf({ autoRemove: true }) });
  await rejectsWith(containers.start(id), 'failed', /port is already allocated/);
  assertNothingLeft();
});

test('only a container with --rm has a root file system whose files need not survive a crash', async () => {
  const [disposable, permanent] = [await harness.run({ autoRemove: true }), await harness.run({})];
  assert.deepEqual([...harness.rootfs.disposable], [disposable]);
  assert.deepEqual([...harness.rootfs.mounted], [disposable, permanent]);
});

test('a container that runs out of memory while it starts has the reason of its end', async () => {
  const { runtime } = harness;
  const { id } = await harness.engine.containers.create({ name: 'greedy', config: configOf({}) });
  runtime.onStart = () => {
    runtime.emit({ type: 'oom', id });
    runtime.exit(id, 137);
  };
  await harness.engine.containers.start(id);
  await until(() => harness.state(id).status === 'exited');
  assert.deepEqual([harness.state(id).exitCode, harness.state(id).oomKilled], [137, true]);
  assert.deepEqual(actions(), ['create', 'start', 'oom', 'die']);
});

test('invalid state transitions get Docker’s messages', async () => {
  const { containers, exec } = harness.engine;
  const id = await harness.run({}, 'aa');
  await rejectsWith(containers.start('aa'), 'not-modified', 'container is already running');
  await rejectsWith(
    containers.remove('aa', { force: false, volumes: false, link: false }),
    'conflict',
    'cannot remove container "aa": container is running: stop the container before removing or force remove',
  );
  await rejectsWith(
    containers.create({ name: 'aa', config: configOf() }),
    'conflict',
    `Conflict. The container name "/aa" is already in use by container "${id}". ` +
      'You have to remove (or rename) that container to be able to reuse that name.',
  );
  await rejectsWith(
    containers.create({ name: '-a', config: configOf() }),
    'invalid',
    /^Invalid container name \(-a\), only/,
  );
  await rejectsWith(containers.unpause('aa'), 'failed', `Container ${id} is not paused`);
  await containers.pause('aa');
  await rejectsWith(containers.pause('aa'), 'conflict', `container ${id} is already paused`);
  await rejectsWith(containers.start('aa'), 'conflict', 'cannot start a paused container, try unpause instead');
  const command = execOf(['ls']);
  await rejectsWith(
    exec.create('aa', command),
    'conflict',
    'Container aa is paused, unpause the container before exec',
  );
  await containers.unpause('aa');
  await containers.kill('aa', 'KILL');
  assert.equal(harness.state(id).exitCode, 137);
  const invalid = { FOO: 'invalid signal: FOO', 0: 'invalid signal: 0' };
  const unsupported = [65, -1].map((signal) => [signal, `the linux daemon does not support signal ${signal}`]);
  for (const [signal, message] of [...Object.entries(invalid), ...unsupported])
    await rejectsWith(containers.kill('aa', String(signal)), 'invalid', `cannot kill container: aa: ${message}`);
  await rejectsWith(containers.kill('aa', ''), 'conflict', `cannot kill container: aa: container ${id} is not running`);
  await rejectsWith(containers.pause('aa'), 'conflict', `container ${id} is not running`);
  await rejectsWith(exec.create('aa', command), 'conflict', `container ${id} is not running`);
  await rejectsWith(containers.stop('aa', {}), 'not-modified', 'container is already stopped');
  await rejectsWith(containers.inspect('missing', { size: false }), 'not-found', 'No such container: missing');
});

test('a dry run of stop and rm reports what they would report and leaves the container alone', async () => {
  const { containers } = harness.engine;
  const id = await harness.run({}, 'aa');
  const netns = [{ action: 'delete', object: { kind: 'netns', path: '/run/netns/fake' } }];
  assert.deepEqual(await containers.planStop('aa', {}), netns);
  assert.deepEqual(await containers.planRemove('aa', { force: true, link: false }), netns);
  await rejectsWith(containers.planStop('aa', { signal: 'NO' }), 'invalid', 'invalid signal: NO');
  const refusal =
    'cannot remove container "aa": container is running: stop the container before removing or force remove';
  await rejectsWith(containers.planRemove('aa', { force: false, link: false }), 'conflict', refusal);
  await rejectsWith(containers.remove('aa', { force: false, volumes: false, link: false }), 'conflict', refusal);
  await rejectsWith(containers.planStop('bb', {}), 'not-found', 'No such container: bb');
  await containers.planRemove('aa', { force: false, link: true });
  assert.deepEqual(harness.networks.calls.at(-1), 'planRemoveLink aa');
  assert.equal(harness.state(id).status, 'running');
  assert.ok(harness.networks.states.has(id));
  await containers.stop('aa', {});
  assert.deepEqual(await containers.planStop('aa', {}), []);
  assert.deepEqual(await containers.planRemove('aa', { force: false, link: false }), []);
});

const execOf = (command: string[]) => ({
  command,
  env: [],
  user: '',
  workingDirectory: '',
  tty: false,
  attachStdin: false,
  attachStdout: true,
  attachStderr: true,
  privileged: false,
  detachKeys: '',
});

test('invalid requests are rejected before anything is changed', async () => {
  const { containers } = harness.engine;
  const create = (change: Parameters<typeof configOf>[0]) =>
    containers.create({ name: undefined, config: configOf(change) });
  const resources = configOf().resources;
  const mount = { type: 'bind', source: '/nowhere', target: '/x', readOnly: false } as const;
  await rejectsWith(
    create({ mounts: [mount] }),
    'invalid',
    'invalid mount config for type "bind": bind source path does not exist: /nowhere',
  );
  await rejectsWith(
    create({ mounts: [{ ...mount, target: 'x', createSource: true }] }),
    'invalid',
    `invalid mount config for type "bind": invalid mount path: 'x' mount path must be absolute`,
  );
  const twice = { ...mount, createSource: true };
  await rejectsWith(create({ mounts: [twice, twice] }), 'invalid', 'Duplicate mount point: /x');
  await rejectsWith(
    create({ resources: { ...resources, memory: 1024 } }),
    'invalid',
    'Minimum memory limit allowed is 6MB',
  );
  await rejectsWith(create({ logDriver: 'syslog' }), 'invalid', "logger: no log driver named 'syslog' is registered");
  await rejectsWith(
    create({ workingDirectory: 'x' }),
    'invalid',
    "the working directory 'x' is invalid, it needs to be an absolute path",
  );
  await rejectsWith(create({ volumesFrom: ['missing'] }), 'invalid', 'No such container: missing');
  await rejectsWith(
    create({ resources: { ...plainConfig('', {}).resources, cpusetCpus: '0,99999' } }),
    'invalid',
    /^Requested CPUs are not available - requested 0,99999, available: 0/,
  );
  await rejectsWith(create({ env: ['=x'] }), 'invalid', 'invalid environment variable: =x');
  await rejectsWith(create({ stopSignal: 'NO' }), 'invalid', 'invalid signal: NO');
  await rejectsWith(create({ entrypoint: [''] }), 'invalid', 'no command specified');
  assertNothingLeft();
});

test('an image of another platform than the requested one counts as missing', async () => {
  const { containers } = harness.engine;
  const create = (platform: string) => containers.create({ name: undefined, config: configOf(), platform });
  await rejectsWith(
    create('linux/s390x'),
    'not-found',
    'image with reference nginx-web01 was found but its platform (linux/amd64) does not match the specified platform (linux/s390x)',
  );
  const unknown = '"no-such": unknown operating system or architecture: invalid argument';
  await rejectsWith(create('no-such'), 'invalid', unknown);
  assertNothingLeft();
  await create('linux/x86_64');
});

test('IPC is shared only with containers that allow it', async () => {
  const { containers } = harness.engine;
  const id = await harness.run({}, 'private');
  await harness.run({ ipcMode: 'shareable' }, 'open');
  await rejectsWith(
    harness.run({ ipcMode: 'container:private' }),
    'conflict',
    `can't join IPC of container ${id}: non-shareable IPC (hint: use IpcMode:shareable for the donor container)`,
  );
  const joined = await harness.run({ ipcMode: 'container:open' });
  const pid = harness.state((await containers.inspect('open', { size: false })).record.id).pid;
  assert.deepEqual(harness.runtime.tasks.get(joined)?.spec.ipcNamespace, { path: `/proc/${pid}/ns/ipc` });
});

test('a container named as an image gets a hint', async () => {
  await harness.run({}, 'nginx-1');
  await assert.rejects(
    harness.engine.containers.create({ name: undefined, config: configOf({ image: 'nginx-1' }) }),
    (error) => {
      assert.ok(isNetyardError(error, 'not-found'));
      assert.equal(error.message, 'No such image: nginx-1:latest');
      assert.match(error.hint ?? '', /exec -it nginx-1 bash/);
      return true;
    },
  );
});

test('--rm removes the container and its anonymous volumes, and wakes waiters for the removal', async () => {
  const id = await harness.run({ autoRemove: true, volumes: ['/data'] });
  assert.equal(harness.store.volumeRecords.size, 1);
  const { done } = await harness.engine.containers.wait(id, 'removed', new AbortController().signal);
  harness.runtime.exit(id, 3);
  assert.deepEqual(await done, { exitCode: 3 });
  assert.equal(harness.store.volumeRecords.size, 0);
  assertNothingLeft();
});

test('stop sends the image’s signal, then SIGKILL after the timeout', async () => {
  harness.runtime.onKill = (id, signal) => {
    if (signal === 9) harness.runtime.exit(id, 137);
  };
  const id = await harness.run({ stopSignal: 'SIGQUIT' });
  await harness.engine.containers.stop(id, { timeoutSeconds: 0 });
  assert.deepEqual(
    harness.runtime.calls.filter((call) => call.startsWith('kill')),
    ['kill 3', 'kill 9'],
  );
  assert.equal(harness.state(id).exitCode, 137);
});

test('a container that waits for its restart can be stopped and removed', async () => {
  const id = await harness.run({ restartPolicy: { name: 'always', maximumRetryCount: 0 } });
  harness.runtime.exit(id, 1);
  await until(() => harness.state(id).status === 'restarting');
  await rejectsWith(
    harness.engine.exec.create(id, execOf(['ls'])),
    'conflict',
    `Container ${id} is restarting, wait until the container is running`,
  );
  await harness.engine.containers.stop(id, {});
  assert.equal(harness.state(id).status, 'exited');
  await harness.engine.containers.remove(id, { force: false, volumes: false, link: false });
  assertNothingLeft();
});

test('rename releases the old name', async () => {
  const { containers } = harness.engine;
  const id = await harness.run({}, 'old');
  await containers.rename('old', 'new');
  assert.equal((await containers.inspect('/new', { size: false })).record.id, id);
  await containers.create({ name: 'old', config: configOf() });
  await rejectsWith(containers.rename('new', 'old'), 'conflict', /^Error when allocating new name: Conflict\. /);
  assert.deepEqual((await containers.inspect(id, { size: false })).names, ['/new']);
});

test('an anonymous volume is filled from the image, a used one is not removed', async () => {
  harness.rootfs.imageDirectories = ['/data'];
  const id = await harness.run({ volumes: ['/data'] });
  const [mount] = harness.store.records.get(id)?.mounts ?? [];
  assert.deepEqual(readdirSync(mount?.source ?? ''), ['copied']);
  const name = mount?.name ?? '';
  await rejectsWith(
    harness.engine.volumes.remove(name, false),
    'conflict',
    `remove ${name}: volume is in use - [${id}]`,
  );
  await harness.engine.containers.remove(id, { force: true, volumes: false, link: false });
  const { deleted } = await harness.engine.volumes.prune(new Map());
  assert.deepEqual(deleted, [name]);
  await rejectsWith(harness.engine.volumes.get(name), 'not-found', `get ${name}: no such volume`);
});

test('containers created concurrently get distinct names, and all can be removed', async () => {
  const ids = await Promise.all(Array.from({ length: 30 }, () => harness.run()));
  assert.equal(new Set(harness.store.containers().map((record) => record.name)).size, 30);
  await Promise.all(ids.map((id) => harness.engine.containers.remove(id, { force: true, volumes: true, link: false })));
  assertNothingLeft();
});

test('ps lists running containers, filtered', async () => {
  const { containers } = harness.engine;
  const id = await harness.run({ labels: { role: 'web' } }, 'one');
  await containers.create({ name: 'two', config: configOf() });
  const list = async (filters: Record<string, string[]>, all = false) => {
    const found = await containers.list({ all, limit: 0, size: false, filters: new Map(Object.entries(filters)) });
    return found.map(({ record }) => record.name);
  };
  assert.deepEqual(await list({}), ['one']);
  assert.deepEqual(await list({}, true), ['two', 'one']);
  assert.deepEqual(await list({ status: ['created'] }), ['two']);
  assert.deepEqual(await list({ label: ['role=web'] }, true), ['one']);
  assert.deepEqual(await list({ id: [id.slice(0, 5)] }, true), ['one']);
  assert.deepEqual(await list({ before: ['two'] }, true), ['one']);
  assert.deepEqual(await list({ ancestor: ['nginx-web01'] }, true), ['two', 'one']);
  await rejectsWith(list({ nonsense: ['x'] }), 'invalid', "invalid filter 'nonsense'");
  assert.equal(existsSync(containerDirectory(harness.settings, id)), true);
});

test('each exit wakes waiters for the next exit, also when a restart follows', async () => {
  const id = await harness.run({ restartPolicy: { name: 'always', maximumRetryCount: 0 } });
  const { signal } = new AbortController();
  for (const condition of ['next-exit', 'not-running'] as const) {
    const { done } = await harness.engine.containers.wait(id, condition, signal);
    harness.runtime.exit(id, 7);
    assert.deepEqual(await done, { exitCode: 7 });
    await until(() => harness.state(id).status === 'running');
  }
  await harness.engine.containers.stop(id, {});
  assert.equal(harness.state(id).status, 'exited');
});
