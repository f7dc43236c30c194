/** Output when its collecting thread fails, and of containers that an earlier daemon started. */
import assert from 'node:assert/strict';
import { appendFileSync, existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { env } from 'node:process';
import { type TestContext, test } from 'node:test';
import type { AttachOptions, LogOptions } from '../src/index.ts';
import { formerPositionPath, ioPath, positionPath } from '../src/paths.ts';
import { configOf } from './fakes/container-config.ts';
import { fakeImage } from './fakes/images.ts';
import { openWorld, unframed, until, type World } from './fakes/world.ts';

const { signal } = new AbortController();
const everything: LogOptions = {
  stdout: true,
  stderr: true,
  follow: false,
  since: undefined,
  until: undefined,
  tail: undefined,
  timestamps: false,
  details: false,
  signal,
};
const liveOutput: AttachOptions = {
  stdin: false,
  stdout: true,
  stderr: true,
  logs: false,
  stream: true,
  detachKeys: undefined,
  signal,
};

const numbered = (from: number, to: number): string =>
  Array.from({ length: to - from }, (_, index) => `line ${from + index}\n`).join('');

const logOf = async (world: World, id: string): Promise<string> =>
  unframed((await world.engine.containers.logs(id, everything)).output);

/** A world whose collecting thread throws when `fail` is called. */
async function failingWorld(t: TestContext): Promise<{ world: World; fail: () => Promise<void> }> {
  const entry = new URL('./fakes/failing-capture-thread.ts', import.meta.url);
  const world = await openWorld(fakeImage(), { captureEntry: entry });
  t.after(() => world.close());
  const fault = join(world.directory, 'fault');
  env['NETYARD_TEST_CAPTURE_FAULT'] = fault; // before the thread starts, which has its own copy
  const fail = async (): Promise<void> => {
    writeFileSync(fault, '');
    await until(() => !existsSync(fault));
  };
  return { world, fail };
}

test('a collecting thread that fails is started again: no line is lost or doubled, attached clients go on', async (t) => {
  const { world, fail } = await failingWorld(t);
  const { id } = await world.engine.containers.create({ name: undefined, config: configOf({}) });
  const attachment = await world.engine.containers.attach(id, liveOutput);
  let live = '';
  const reading = (async () => {
    for await (const { data } of attachment.output) live += Buffer.from(data).toString();
  })();
  await world.engine.containers.start(id);
  for (let round = 0; round < 3; round += 1) {
    world.runtime.say(id, numbered(round * 100, round * 100 + 50));
    await until(() => live.length === numbered(0, round * 100 + 50).length); // the client has its place
    await fail();
    world.runtime.say(id, numbered(round * 100 + 50, round * 100 + 100));
    assert.equal(await logOf(world, id), numbered(0, round * 100 + 100));
  }
  world.runtime.exit(id, 0);
  await until(() => world.state(id).status === 'exited');
  await reading;
  assert.equal(live, numbered(0, 300));
  assert.equal(await logOf(world, id), numbered(0, 300));
});

test('a collecting thread that fails while a container ends loses none of its last words', async (t) => {
  const { world, fail } = await failingWorld(t);
  for (let round = 0; round < 10; round += 1) {
    const id = await world.run();
    world.runtime.say(id, `${numbered(0, 500)}last words`);
    const failing = fail();
    world.runtime.exit(id, 3);
    await Promise.all([failing, until(() => world.state(id).status === 'exited')]);
    assert.equal(await logOf(world, id), `${numbered(0, 500)}last words`);
    assert.equal(existsSync(ioPath(world.settings, id, 'stdout')), false);
  }
});

test('output files and positions of a daemon before the FIFOs are taken over', async (t) => {
  const world = await openWorld();
  t.after(() => world.close());
  const id = await world.run();
  world.runtime.say(id, numbered(0, 20));
  assert.equal(await logOf(world, id), numbered(0, 20));
  await world.engine.stop({ stopContainers: false });
  // Such a daemon had the shim write to a plain file, and kept the position beside the log.
  const output = ioPath(world.settings, id, 'stdout');
  rmSync(output);
  writeFileSync(output, numbered(0, 40));
  renameSync(positionPath(world.settings, id), formerPositionPath(world.settings, id));
  await world.restart();
  assert.equal(await logOf(world, id), numbered(0, 40));
  appendFileSync(output, numbered(40, 60));
  assert.equal(await logOf(world, id), numbered(0, 60));
  await world.restart();
  appendFileSync(output, 'last words');
  world.runtime.exit(id, 0);
  await until(() => world.state(id).status === 'exited');
  assert.equal(await logOf(world, id), `${numbered(0, 60)}last words`);
  for (const path of [output, positionPath(world.settings, id), formerPositionPath(world.settings, id)])
    assert.equal(existsSync(path), false, path);
});
