/** Output when its collecting thread fails, and of containers that an earlier daemon started. */
import assert from 'node:assert/strict';
import { appendFileSync, existsSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { env } from 'node:process';
import { type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { formerPositionPath, ioPath, positionPath } from '../src/paths.ts';
import { configOf } from './fakes/container-config.ts';
import { type Harness, openHarness, until } from './fakes/harness.ts';
import { fakeImage } from './fakes/images.ts';
import { liveOutput, numbered, readLog } from './fakes/output.ts';

/** A harness whose collecting thread throws when `fail` is called. */
async function failingHarness(t: TestContext): Promise<{ harness: Harness; fail: () => Promise<void> }> {
  const entry = new URL('./fakes/failing-capture-thread.ts', import.meta.url);
  const harness = await openHarness(fakeImage(), { captureEntry: entry });
  t.after(() => harness.close());
  const fault = join(harness.directory, 'fault');
  env['NETYARD_TEST_CAPTURE_FAULT'] = fault; // before the thread starts, which has its own copy
  const fail = async (): Promise<void> => {
    writeFileSync(fault, '');
    await within(() => !existsSync(fault), 'the thread fails');
  };
  return { harness, fail };
}

test('a collecting thread that fails is restarted: no line is lost or duplicated, attached clients continue', async (t) => {
  const { harness, fail } = await failingHarness(t);
  const { id } = await harness.engine.containers.create({ name: undefined, config: configOf({}) });
  const attachment = await harness.engine.containers.attach(id, liveOutput);
  let live = '';
  const reading = (async () => {
    for await (const { data } of attachment.output) live += Buffer.from(data).toString();
  })();
  await harness.engine.containers.start(id);
  for (let round = 0; round < 3; round += 1) {
    harness.runtime.say(id, numbered(round * 100, round * 100 + 50));
    await until(() => live.length === numbered(0, round * 100 + 50).length); // the client is positioned
    await fail();
    harness.runtime.say(id, numbered(round * 100 + 50, round * 100 + 100));
    assert.equal(await readLog(harness, id), numbered(0, round * 100 + 100));
  }
  harness.runtime.exit(id, 0);
  await until(() => harness.state(id).status === 'exited');
  await reading;
  assert.equal(live, numbered(0, 300));
  assert.equal(await readLog(harness, id), numbered(0, 300));
});

const openFiles = (): number => readdirSync('/proc/self/fd').length;

test('failures of the collecting thread leave no descriptors open, with attached clients and several containers', async (t) => {
  const { harness, fail } = await failingHarness(t);
  const ids = [await harness.run(), await harness.run(), await harness.run()];
  const leaving = new AbortController();
  const reading: Promise<void>[] = [];
  for (const id of ids) {
    const { output } = await harness.engine.containers.attach(id, { ...liveOutput, signal: leaving.signal });
    reading.push(consume(output));
    harness.runtime.say(id, numbered(0, 10));
    assert.equal(await readLog(harness, id), numbered(0, 10));
  }
  const before = openFiles();
  for (let round = 1; round <= 4; round += 1) {
    await fail();
    for (const id of ids) {
      harness.runtime.say(id, numbered(round * 10, round * 10 + 10));
      assert.equal(await readLog(harness, id), numbered(0, round * 10 + 10));
    }
    await within(() => openFiles() <= before, `${openFiles()} descriptors after failure ${round}, ${before} before`);
  }
  leaving.abort();
  await Promise.all(reading);
});

async function consume(output: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of output);
}

async function within(condition: () => boolean, what: string): Promise<void> {
  const limit = performance.now() + 30_000;
  while (!condition()) {
    assert.ok(performance.now() < limit, what);
    await pause(5);
  }
}

test('a collecting thread that fails while a container ends loses none of its last output', async (t) => {
  const { harness, fail } = await failingHarness(t);
  for (let round = 0; round < 6; round += 1) {
    const id = await harness.run();
    harness.runtime.say(id, `${numbered(0, 500)}last words`);
    const failing = fail();
    harness.runtime.exit(id, 3);
    await Promise.all([failing, until(() => harness.state(id).status === 'exited')]);
    assert.equal(await readLog(harness, id), `${numbered(0, 500)}last words`);
    assert.equal(existsSync(ioPath(harness.settings, id, 'stdout')), false);
  }
});

test('output files and positions of a daemon before the FIFOs are adopted', async (t) => {
  const harness = await openHarness();
  t.after(() => harness.close());
  const id = await harness.run();
  harness.runtime.say(id, numbered(0, 20));
  assert.equal(await readLog(harness, id), numbered(0, 20));
  await harness.engine.stop({ stopContainers: false });
  // Such a daemon had the shim write to a plain file, and stored the position beside the log.
  const output = ioPath(harness.settings, id, 'stdout');
  rmSync(output);
  writeFileSync(output, numbered(0, 40));
  renameSync(positionPath(harness.settings, id), formerPositionPath(harness.settings, id));
  await harness.restart();
  assert.equal(await readLog(harness, id), numbered(0, 40));
  appendFileSync(output, numbered(40, 60));
  assert.equal(await readLog(harness, id), numbered(0, 60));
  await harness.restart();
  appendFileSync(output, 'last words');
  harness.runtime.exit(id, 0);
  await until(() => harness.state(id).status === 'exited');
  assert.equal(await readLog(harness, id), `${numbered(0, 60)}last words`);
  for (const path of [output, positionPath(harness.settings, id), formerPositionPath(harness.settings, id)])
    assert.equal(existsSync(path), false, path);
});
