/** Output that pauses: its files are closed, and continued when there is more. */
import assert from 'node:assert/strict';
import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { makeFifo } from '@netyard/kernel';
import type { CaptureFiles, CaptureReport } from '../src/logs/capture-protocol.ts';
import { CaptureState, ReaderState } from '../src/logs/capture-state.ts';
import { ContainerCapture } from '../src/logs/container-capture.ts';
import { parseEntry } from '../src/logs/json-file.ts';
import { LogCompressor } from '../src/logs/log-compressor.ts';
import { agedPath } from '../src/logs/rotated-files.ts';
import { openHarness, until } from './fakes/harness.ts';
import { numbered, readLog } from './fakes/output.ts';

const compressor = new LogCompressor(() => assert.fail());

/** Names of the files in the directory that this process has open, without the FIFOs. */
function openFiles(directory: string): string[] {
  const targets = readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)];
    } catch {
      return []; // the descriptor of this list
    }
  });
  const below = targets.filter((path) => path.startsWith(`${directory}/`) && !statSync(path).isFIFO());
  return below.map((path) => path.slice(directory.length + 1)).sort();
}

interface Subject {
  directory: string;
  capture: ContainerCapture;
  state: CaptureState;
  files: CaptureFiles & { log: { path: string } };
  reports: CaptureReport[];
  say(text: string): void;
}

function openCapture(
  t: TestContext,
  { maximumSize, isLogged = true }: { maximumSize?: number; isLogged?: boolean } = {},
): Subject {
  const directory = mkdtempSync(join(tmpdir(), 'netyard-quiet-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const source = join(directory, 'stdout');
  makeFifo(source);
  const files = {
    streams: [{ name: 'stdout' as const, source, spool: join(directory, 'spool') }],
    position: join(directory, 'position'),
    formerPosition: join(directory, 'former'),
    log: {
      path: join(directory, 'log'),
      rotation: { maximumSize, maximumFiles: 3, compresses: false },
      attributes: '',
    },
  };
  const state = new CaptureState();
  const reports: CaptureReport[] = [];
  const clock = { now: () => 0n };
  const used = isLogged ? files : { ...files, log: undefined };
  const capture = new ContainerCapture(used, state.buffer, {
    clock,
    compressor,
    report: (report) => reports.push(report),
  });
  const writer = openSync(source, 'r+');
  t.after(() => closeSync(writer));
  const say = (text: string): void => {
    writeSync(writer, text);
    while (capture.pump());
  };
  return { directory, capture, state, files, reports, say };
}

const logged = (path: string): string =>
  readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => parseEntry(line)?.log)
    .join('');

test('files of quiet output are closed until there is more, which the log has once', (t) => {
  const { directory, capture, files, say } = openCapture(t);
  say('first\n');
  assert.deepEqual(openFiles(directory), ['log', 'position', 'spool']);
  capture.rest();
  assert.deepEqual(openFiles(directory), []);
  capture.pump(); // the regular check without a report of inotify
  assert.deepEqual(openFiles(directory), [], 'a check without output opens nothing');
  say('second\n');
  capture.rest();
  say('third\n');
  assert.equal(logged(files.log.path), 'first\nsecond\nthird\n');
  capture.rest();
  capture.finish();
  assert.equal(logged(files.log.path), 'first\nsecond\nthird\n');
});

test('an unfinished line of quiet output is not lost when its spool file is deleted', (t) => {
  const { capture, files, say } = openCapture(t);
  say('login: ');
  capture.rest();
  rmSync(files.streams[0]?.spool ?? '');
  say('root\n');
  assert.equal(logged(files.log.path), 'login: root\n');
});

test('quiet output continues at the same position of its stream after its spool file and position were deleted', (t) => {
  const { capture, state, files, say } = openCapture(t);
  say('first\n');
  capture.rest();
  const spool = files.streams[0]?.spool ?? '';
  for (const path of [spool, files.position]) rmSync(path);
  say('second\n');
  assert.equal(logged(files.log.path), 'first\nsecond\n');
  assert.deepEqual([statSync(spool).size, state.spooled('stdout')], [13, 13]);
  assert.equal(statSync(files.position).size, 32);
});

test('an attached client reads on after quiet output', (t) => {
  const { capture, state, say } = openCapture(t);
  say('before\n');
  const reader = new ReaderState();
  const { files } = capture.addReader(1, 'now', reader.buffer);
  t.after(() => {
    for (const { fd } of files) closeSync(fd);
  });
  capture.rest();
  say('after\n');
  assert.equal(readFileSync(`/proc/self/fd/${files[0]?.fd}`, 'utf8').slice(reader.offset('stdout')), 'after\n');
  assert.equal(state.spooled('stdout'), 13);
});

test('a link in the place of a closed spool file is not followed, and the output arrives once it is gone', (t) => {
  t.mock.method(performance, 'now', () => now);
  let now = 0;
  const { directory, capture, files, reports, say } = openCapture(t);
  say('first\n');
  capture.rest();
  const victim = join(directory, 'victim');
  const spool = files.streams[0]?.spool ?? '';
  writeFileSync(victim, 'unchanged');
  rmSync(spool);
  symlinkSync(victim, spool);
  say('second\n');
  rmSync(spool);
  writeFileSync(spool, 'foreign');
  now += 5000;
  say('third\n');
  assert.deepEqual([readFileSync(victim, 'utf8'), readFileSync(spool, 'utf8')], ['unchanged', 'foreign']);
  assert.equal(reports.length, 1, 'the failure is reported once');
  rmSync(spool);
  now += 5000;
  say('fourth\n');
  assert.equal(logged(files.log.path), 'first\nsecond\nthird\nfourth\n');
});

test('output that is not logged either is not retried after a failure that is over', (t) => {
  const { capture, files, say } = openCapture(t, { isLogged: false });
  say('first\n');
  capture.rest();
  const spool = files.streams[0]?.spool ?? '';
  rmSync(spool);
  symlinkSync('elsewhere', spool);
  say('second\n');
  assert.notEqual(capture.retryAt, undefined);
  rmSync(spool);
  say('third\n');
  assert.equal(capture.retryAt, undefined);
  assert.equal(statSync(spool).size, 19);
});

test('a log that is moved away while it is closed is continued in a new file, as by programs that rotate logs', (t) => {
  const { capture, state, files, say } = openCapture(t);
  const { path } = files.log;
  say('first\n');
  capture.rest();
  renameSync(path, agedPath(path, 1));
  say('second\n');
  capture.rest();
  renameSync(path, agedPath(path, 2));
  writeFileSync(path, '{"log":"foreign\\n","stream":"stdout","time":"2026-01-01T00:00:00Z"}\n');
  say('third\n');
  capture.rest();
  truncateSync(path);
  say('fourth\n');
  assert.deepEqual(
    [2, 1, 0].map((age) => logged(agedPath(path, age))),
    ['second\n', 'first\n', 'fourth\n'],
  );
  const { ino, size } = statSync(path, { bigint: true });
  assert.deepEqual(state.log, { inode: ino, size: Number(size) });
});

test('a foreign log in the place of a closed one is continued at its end', (t) => {
  const { capture, files, say } = openCapture(t);
  const { path } = files.log;
  say('first\n');
  capture.rest();
  rmSync(path);
  writeFileSync(path, '{"log":"foreign\\n","stream":"stdout","time":"2026-01-01T00:00:00Z"}\n');
  say('second\n');
  assert.equal(logged(path), 'foreign\nsecond\n');
});

test('a log behind a symbolic link stays open, and one that is deleted before it is closed', (t) => {
  const { directory, capture, files, say } = openCapture(t);
  const { path } = files.log;
  say('first\n');
  renameSync(path, join(directory, 'elsewhere'));
  symlinkSync('elsewhere', path);
  capture.rest();
  assert.deepEqual(openFiles(directory), ['elsewhere']);
  say('second\n');
  assert.equal(logged(join(directory, 'elsewhere')), 'first\nsecond\n');
});

test('a closed log rotates, and the position that a later daemon continues from follows', (t) => {
  const { capture, state, files, say } = openCapture(t, { maximumSize: 100 });
  for (const [from, to] of [
    [0, 2],
    [2, 4],
    [4, 6],
  ] as const) {
    say(numbered(from, to));
    capture.rest();
  }
  const ages = [2, 1, 0].map((age) => logged(agedPath(files.log.path, age)));
  assert.equal(ages.join(''), numbered(0, 6));
  const later = new ContainerCapture(files, state.buffer, {
    clock: { now: () => 0n },
    compressor,
    report: () => assert.fail(),
  });
  later.finish();
  assert.deepEqual(
    [2, 1, 0].map((age) => logged(agedPath(files.log.path, age))),
    ages,
  );
});

test('the daemon closes the files of containers whose output pauses, and logs what they write later, also after a restart', async (t) => {
  const harness = await openHarness();
  t.after(() => harness.close());
  const ids = [await harness.run(), await harness.run()];
  for (const id of ids) harness.runtime.say(id, numbered(0, 10));
  for (const id of ids) assert.equal(await readLog(harness, id), numbered(0, 10));
  const ofContainers = (): string[] =>
    openFiles(harness.directory).filter((path) => ids.some((id) => path.includes(id)));
  assert.notDeepEqual(ofContainers(), []);
  while (ofContainers().length > 0) await pause(20);
  for (const id of ids) harness.runtime.say(id, numbered(10, 20));
  for (const id of ids) assert.equal(await readLog(harness, id), numbered(0, 20));
  while (ofContainers().length > 0) await pause(20);
  await harness.restart();
  for (const id of ids) harness.runtime.say(id, numbered(20, 30));
  for (const id of ids) harness.runtime.exit(id, 0);
  await until(() => ids.every((id) => harness.state(id).status === 'exited'));
  for (const id of ids) assert.equal(await readLog(harness, id), numbered(0, 30));
});
