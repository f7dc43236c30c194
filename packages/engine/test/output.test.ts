/** From the output files into the log: rotation, followers, slow readers, and a daemon killed at any point. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, test } from 'node:test';
import type { LogOptions } from '../src/index.ts';
import { parseLogTime } from '../src/logs/json-file.ts';
import { readPosition } from '../src/logs/position.ts';
import { ioDirectory, ioPath, logPath, positionPath, spoolPath } from '../src/paths.ts';
import { configOf } from './fakes/container-config.ts';
import { type Harness, openHarness, text, unframe, unframed, until } from './fakes/harness.ts';
import { everything, liveOutput, numbered, readLog, signal } from './fakes/output.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await openHarness();
});
afterEach(() => harness.close());

const logOf = (id: string, change: Partial<LogOptions> = {}): Promise<string> => readLog(harness, id, change);

test('output written while no daemon runs is in the log after its restart, each line once', async () => {
  const id = await harness.run();
  harness.runtime.say(id, numbered(0, 100));
  await until(() => existsSync(positionPath(harness.settings, id)));
  await harness.engine.stop({ stopContainers: false });
  harness.runtime.say(id, numbered(100, 200));
  await harness.restart();
  harness.runtime.say(id, numbered(200, 300));
  assert.equal(await logOf(id), numbered(0, 300));
});

test('a container that ended while no daemon ran is recorded with its code, time and last output', async () => {
  const id = await harness.run();
  await harness.engine.stop({ stopContainers: false });
  harness.runtime.say(id, 'last words');
  harness.runtime.exit(id, 7);
  const exitedAt = harness.runtime.tasks.get(id)?.exit?.exitedAt;
  await harness.restart();
  assert.equal(harness.state(id).status, 'exited');
  assert.equal(harness.state(id).exitCode, 7);
  assert.equal(harness.state(id).finishedAt, exitedAt);
  assert.equal(await logOf(id), 'last words');
  assert.deepEqual([...harness.networks.states], []);
  assert.equal(existsSync(ioPath(harness.settings, id, 'stdout')), false);
});

test('a daemon killed between writing the log and the position neither loses nor duplicates a line', async () => {
  const id = await harness.run();
  harness.runtime.say(id, numbered(0, 10));
  assert.equal(await logOf(id), numbered(0, 10));
  const position = readFileSync(positionPath(harness.settings, id));
  harness.runtime.say(id, numbered(10, 20));
  assert.equal(await logOf(id), numbered(0, 20));
  await harness.engine.stop({ stopContainers: false });
  writeFileSync(positionPath(harness.settings, id), position); // as if the second one had not been written
  const log = logPath(harness.settings, id);
  truncateSync(log, statSync(log).size - 7); // and the log only in part
  await harness.restart();
  assert.equal(await logOf(id), numbered(0, 20));
});

test('a daemon killed right after a rotation continues in the new file', async () => {
  const rotation = { 'max-size': '1k', 'max-file': '50' };
  const id = await harness.run({ logOptions: rotation });
  harness.runtime.say(id, numbered(0, 10));
  assert.equal(await logOf(id), numbered(0, 10));
  const before = readFileSync(positionPath(harness.settings, id));
  const files = (): number =>
    Array.from({ length: 50 }, (_, n) => `${logPath(harness.settings, id)}.${n}`).filter(existsSync).length;
  harness.runtime.say(id, numbered(10, 40));
  assert.equal(await logOf(id), numbered(0, 40));
  assert.ok(files() > 1);
  assert.notDeepEqual(readFileSync(positionPath(harness.settings, id)), before);
  await harness.restart();
  harness.runtime.say(id, numbered(40, 50));
  assert.equal(await logOf(id), numbered(0, 50));
});

test('the output of a container that was stored with too large a max-file is collected after a restart', async () => {
  const id = await harness.run({ logOptions: { 'max-size': '1k' } });
  await harness.engine.stop({ stopContainers: false });
  const record = harness.store.containers().find((each) => each.id === id);
  assert.ok(record);
  const logOptions = { 'max-size': '1k', 'max-file': '99999999999999999999' };
  harness.store.putContainer({ ...record, config: { ...record.config, logOptions } });
  harness.runtime.say(id, numbered(0, 100));
  await harness.restart();
  harness.runtime.say(id, numbered(100, 200));
  assert.equal(await logOf(id), numbered(0, 200));
});

test('rotation keeps max-file files, and a follower sees every line', async () => {
  const id = await harness.run({ logOptions: { 'max-size': '1k', 'max-file': '2' } });
  harness.runtime.say(id, 'first\n');
  const { output } = await harness.engine.containers.logs(id, { ...everything, follow: true });
  const chunks: Uint8Array[] = [];
  const following = (async () => {
    for await (const chunk of output) chunks.push(Buffer.from(chunk));
  })();
  for (let from = 0; from < 100; from += 5) {
    harness.runtime.say(id, numbered(from, from + 5));
    await until(() => Buffer.concat(chunks).includes(`line ${from + 4}\n`)); // the follower keeps up with rotation
  }
  harness.runtime.exit(id, 0);
  await following;
  assert.equal(unframe(Buffer.concat(chunks)), `first\n${numbered(0, 100)}`);
  assert.equal(existsSync(`${logPath(harness.settings, id)}.1`), true);
  assert.equal(existsSync(`${logPath(harness.settings, id)}.2`), false);
  assert.ok((await logOf(id)).endsWith(numbered(90, 100)));
  assert.equal(await logOf(id, { tail: 15 }), numbered(85, 100));
});

test('since and until select a time range', async () => {
  const id = await harness.run();
  harness.runtime.say(id, 'a\n');
  assert.equal(await logOf(id), 'a\n');
  const stamped = await logOf(id, { timestamps: true });
  const time = parseLogTime(stamped.slice(0, stamped.indexOf(' '))) ?? 0n;
  assert.equal(await logOf(id, { since: time + 1n }), '');
  assert.equal(await logOf(id, { until: time - 1n }), '');
  assert.equal(await logOf(id, { since: time, until: time }), 'a\n');
  assert.equal(await logOf(id, { stdout: false }), '');
});

test('large output arrives completely, and the memory of what was read is released', async () => {
  const id = await harness.run();
  const attached = await harness.engine.containers.attach(id, { ...liveOutput, stderr: false });
  let received = 0;
  const live = (async () => {
    for await (const { data } of attached.output) received += data.length;
  })();
  const block = `${'x'.repeat(1000)}\n`.repeat(1024);
  for (let count = 0; count < 8; count += 1) {
    await until(() => received === count * block.length); // this thread both writes and reads
    harness.runtime.say(id, block);
  }
  const path = spoolPath(harness.settings, id, 'stdout');
  await until(() => (readPosition(positionPath(harness.settings, id))?.stdout ?? 0) === 8 * block.length);
  await until(() => statSync(path).blocks * 512 < 1024 * 1024);
  harness.runtime.exit(id, 0);
  await live;
  assert.equal(received, 8 * block.length);
  assert.equal((await logOf(id)).length, 8 * block.length);
});

test('while requests are served, output of a fast writer arrives completely, also at a follower, and so do other containers’ lines', async () => {
  const fast = await harness.run();
  const other = await harness.run();
  const { output } = await harness.engine.containers.logs(fast, { ...everything, follow: true });
  const followed = unframed(output);
  const lines = numbered(0, 100_000);
  for (let count = 0; count < 5; count += 1) {
    harness.engine.noteRequest();
    harness.runtime.say(fast, lines);
    harness.runtime.say(other, `${count}\n`);
  }
  assert.equal(await logOf(other), '0\n1\n2\n3\n4\n');
  assert.ok((await logOf(fast)) === lines.repeat(5));
  harness.runtime.exit(fast, 0);
  assert.ok((await followed) === lines.repeat(5));
});

test('an attached client that does not read delays no other client', async () => {
  const id = await harness.run();
  const sleeper = await harness.engine.containers.attach(id, liveOutput);
  const awake = await harness.engine.containers.attach(id, liveOutput);
  const received = text(awake.output);
  harness.runtime.say(id, numbered(0, 1000));
  harness.runtime.exit(id, 0);
  assert.equal(await received, numbered(0, 1000));
  assert.equal(await text(sleeper.output), numbered(0, 1000));
});

test('an attached client receives everything written once it is attached', async () => {
  const id = await harness.run();
  const rounds = Array.from({ length: 200 }, (_, round) => `round ${round}\n`);
  const attached: AsyncIterable<{ data: Uint8Array }>[] = [];
  for (const line of rounds) {
    attached.push((await harness.engine.containers.attach(id, liveOutput)).output);
    harness.runtime.say(id, line);
  }
  harness.runtime.exit(id, 0);
  for (const [round, output] of attached.entries()) {
    const received = await text(output); // it may start with output that was on its way when it attached
    assert.ok(received.endsWith(rounds.slice(round).join('')), `attacher ${round} received ${received.slice(0, 20)}…`);
  }
});

test('each run appends to the same log', async () => {
  const id = await harness.run({ command: ['x'] });
  harness.runtime.say(id, 'one\n');
  await harness.engine.containers.restart(id, {});
  harness.runtime.say(id, 'two\n');
  assert.equal(await logOf(id), 'one\ntwo\n');
  assert.equal(harness.state(id).status, 'running');
});

test('a terminal has one stream, and can be resized and detached from', async () => {
  const { containers } = harness.engine;
  const { id } = await containers.create({ name: undefined, config: configOf({ tty: true, openStdin: true }) });
  await containers.start(id);
  assert.equal(harness.runtime.tasks.get(id)?.stdio.stderr, '');
  const attached = await containers.attach(id, {
    stdin: true,
    stdout: true,
    stderr: true,
    logs: false,
    stream: true,
    detachKeys: 'ctrl-a,b',
    signal,
  });
  const received = text(attached.output);
  harness.runtime.say(id, 'prompt');
  await containers.resize(id, 24, 80);
  assert.ok(harness.runtime.calls.includes('resize 24x80'));
  attached.stdin?.write(Buffer.from([1]));
  attached.stdin?.write(Buffer.from('b'));
  await attached.detached;
  assert.ok('prompt'.startsWith(await received));
  assert.equal(harness.state(id).status, 'running');
  await until(() => harness.events.some((event) => event.action === 'detach'));
});

test('output goes to the log and, live, to clients attached before the start and later', async () => {
  const { containers } = harness.engine;
  const { id } = await containers.create({ name: undefined, config: configOf() });
  const requested = { stdin: false, stdout: true, stderr: true, detachKeys: undefined, signal };
  const early = await containers.attach(id, { ...requested, logs: false, stream: true });
  const received = text(early.output);
  await containers.start(id);
  harness.runtime.say(id, 'one\ntwo\n');
  const late = await containers.attach(id, { ...requested, logs: true, stream: true });
  const replayed = text(late.output);
  harness.runtime.say(id, 'three', 'stderr');
  harness.runtime.exit(id, 0);
  assert.equal(await received, 'one\ntwo\nthree');
  assert.equal(await replayed, 'one\ntwo\nthree');
  assert.equal(await logOf(id), 'one\ntwo\nthree');
  assert.equal(await logOf(id, { tail: 2 }), 'two\nthree');
  assert.equal(existsSync(ioDirectory(harness.settings, id)), false);
});

test('logs -f continues until the container ends', async () => {
  const id = await harness.run();
  harness.runtime.say(id, 'before\n');
  const { output } = await harness.engine.containers.logs(id, { ...everything, follow: true, tail: 0 });
  const iterator = output[Symbol.asyncIterator]();
  const next = iterator.next();
  harness.runtime.say(id, 'after\n');
  const first = await next;
  assert.equal(Buffer.from(first.value ?? []).toString('utf8', 8), 'after\n');
  harness.runtime.exit(id, 0);
  assert.equal((await iterator.next()).done, true);
});

test('the memory of a consumed chunk returns to the thread that reads logs', async () => {
  const id = await harness.run();
  const lines = numbered(0, 50_000);
  harness.runtime.say(id, lines);
  const { output } = await harness.engine.containers.logs(id, everything);
  const copies: Buffer[] = [];
  const large: Uint8Array[] = [];
  for await (const chunk of output) {
    assert.ok(large.every(({ length }) => length === 0));
    copies.push(Buffer.from(chunk));
    if (chunk.length >= 32 * 1024) large.push(chunk);
  }
  assert.ok(large.length > 5);
  assert.ok(unframe(Buffer.concat(copies)) === lines);
});

test('log driver none provides live output only', async () => {
  const { containers } = harness.engine;
  const { id } = await containers.create({ name: undefined, config: configOf({ logDriver: 'none' }) });
  const attached = await containers.attach(id, liveOutput);
  await containers.start(id);
  harness.runtime.say(id, 'x');
  harness.runtime.exit(id, 0);
  assert.equal(await text(attached.output), 'x');
  const message = 'configured logging driver does not support reading';
  await assert.rejects(containers.logs(id, everything), { code: 'not-implemented', message });
});
