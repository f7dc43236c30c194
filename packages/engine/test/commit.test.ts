/** `docker commit` on fakes: a container is paused while its changes are read, and resumed in every case. */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, test } from 'node:test';
import { eventually } from '@netyard/testkit';
import type { CommitOptions } from '../src/index.ts';
import { configOf } from './fakes/container-config.ts';
import { type Harness, openHarness } from './fakes/harness.ts';
import { fakeImage } from './fakes/images.ts';

/** Content of the layers that were committed. */
let committed: string[] = [];
let harness: Harness;
beforeEach(async () => {
  committed = [];
  harness = await openHarness(fakeImage(), {
    commit: async (request) => {
      const layer = await request.withLayer(async (stream) => {
        let text = '';
        for await (const chunk of stream) text += Buffer.from(chunk).toString();
        return text;
      });
      committed.push(layer);
      return { ...harness.image, id: 'sha256:made' };
    },
  });
});
afterEach(() => harness.close());

const options: CommitOptions = { repository: 'app', tag: '1', comment: 'why', author: '', pause: true, changes: [] };

test('a running container is paused while its changes are read', async () => {
  const id = await harness.run();
  const statuses: string[] = [];
  harness.rootfs.readLayer = () => {
    statuses.push(harness.state(id).status);
    return Readable.from([Buffer.from('layer')], { objectMode: false });
  };
  assert.equal(await harness.engine.containers.commit(id, options), 'sha256:made');
  await harness.engine.containers.commit(id, { ...options, pause: false });
  assert.deepEqual(
    [statuses, committed],
    [
      ['paused', 'running'],
      ['layer', 'layer'],
    ],
  );
  assert.equal(harness.state(id).status, 'running');
  const commits = harness.events.filter(({ action }) => action === 'commit');
  const { comment, imageID, imageRef } = commits[0]?.attributes ?? {};
  assert.deepEqual({ comment, imageID, imageRef }, { comment: 'why', imageID: 'sha256:made', imageRef: 'app:1' });
});

test('a container that was paused before stays paused, and so does one that is paused again meanwhile', async () => {
  const id = await harness.run();
  const { containers } = harness.engine;
  harness.rootfs.readLayer = () => Readable.from([Buffer.from('layer')], { objectMode: false });
  await containers.pause(id);
  await containers.commit(id, options);
  assert.equal(harness.state(id).status, 'paused');
  await containers.unpause(id);
  harness.rootfs.readLayer = () =>
    Readable.from(
      (async function* () {
        await containers.unpause(id);
        await containers.pause(id);
        yield Buffer.from('layer');
      })(),
      { objectMode: false },
    );
  await containers.commit(id, options);
  assert.equal(harness.state(id).status, 'paused');
});

test('commits run one after the other, and those whose client has gone end', async () => {
  const id = await harness.run();
  const { containers } = harness.engine;
  const layers: Readable[] = [];
  const statuses: string[] = [];
  harness.rootfs.readLayer = () => {
    statuses.push(harness.state(id).status);
    const layer = new Readable({ read: () => undefined });
    layers.push(layer);
    return layer;
  };
  const [first, third] = [new AbortController(), new AbortController()];
  const commits = [first.signal, undefined, third.signal].map((signal) => containers.commit(id, options, signal));
  const results = Promise.allSettled(commits);
  await eventually('commit 1 reads its layer', () => layers.length === 1);
  third.abort(new Error('gone'));
  first.abort(new Error('gone'));
  await eventually('commit 2 reads its layer', () => layers.length === 2);
  layers[1]?.push('layer');
  layers[1]?.push(null);
  assert.deepEqual(
    (await results).map(({ status }) => status),
    ['rejected', 'fulfilled', 'rejected'],
  );
  assert.deepEqual([statuses, committed], [['paused', 'paused'], ['layer']]);
  assert.equal(harness.state(id).status, 'running');
});

test('a failure resumes the container', async () => {
  const id = await harness.run();
  harness.rootfs.readLayer = () => {
    throw new Error('unreadable');
  };
  await assert.rejects(harness.engine.containers.commit(id, options), /unreadable/);
  assert.equal(harness.state(id).status, 'running');
});

test('a container whose commit ended with the daemon is resumed at the next start', async () => {
  const id = await harness.run();
  const reading = Promise.withResolvers<void>();
  const never = new Readable({ read: () => reading.resolve() });
  harness.rootfs.readLayer = () => never;
  const commit = harness.engine.containers.commit(id, options);
  await reading.promise;
  assert.equal(harness.runtime.tasks.get(id)?.status, 'paused');
  await harness.restart();
  assert.deepEqual([harness.state(id).status, harness.runtime.tasks.get(id)?.status], ['running', 'running']);
  never.destroy(new Error('the former daemon is gone'));
  await assert.rejects(commit);
});

test('a container that is removed meanwhile makes no image', async () => {
  const { containers } = harness.engine;
  const { id } = await containers.create({ name: 'gone', config: configOf() });
  harness.rootfs.readLayer = () =>
    Readable.from(
      (async function* () {
        yield Buffer.from('half of it');
        await containers.remove(id, { force: true, volumes: false, link: false });
      })(),
      { objectMode: false },
    );
  await assert.rejects(containers.commit(id, options), { code: 'not-found', message: 'No such container: gone' });
  assert.deepEqual(committed, []);
});

test('the name is checked before the container, the changes before it is paused', async () => {
  const { containers } = harness.engine;
  const rejected = (ref: string, change: Partial<CommitOptions>, message: string) =>
    assert.rejects(containers.commit(ref, { ...options, ...change }), { message });
  await rejected(
    'none',
    { repository: 'App' },
    'invalid reference format: repository name (library/App) must be lowercase',
  );
  await rejected('none', { tag: '.x' }, 'invalid tag format');
  await rejected('none', { repository: `a@sha256:${'a'.repeat(64)}` }, 'cannot import digest reference');
  await rejected('none', {}, 'No such container: none');
  const id = await harness.run();
  await rejected(id, { changes: ['RUN x'] }, 'RUN is not a valid change command');
  assert.equal(
    harness.events.some(({ action }) => action === 'pause'),
    false,
  );
});
