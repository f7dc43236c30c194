/** Rotations that were interrupted by a kill of the daemon, or fail, and limits of the number of files. */
import assert from 'node:assert/strict';
import fs, {
  existsSync,
  linkSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { CaptureState } from './capture-state.ts';
import { LogCompressor } from './log-compressor.ts';
import { LogCursor } from './log-cursor.ts';
import { LogFile } from './log-file.ts';

interface Subject {
  path: string;
  log: LogFile;
  /** By name. */
  contents: () => Record<string, string>;
  read: () => string;
}

/** A log whose files have these contents, oldest first. */
function openLog(t: TestContext, contents: readonly string[], maximumFiles: number, compresses = false): Subject {
  const directory = mkdtempSync(join(tmpdir(), 'netyard-log-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const compressor = new LogCompressor((_, error) => assert.fail(String(error)));
  const path = join(directory, 'log');
  const log = new LogFile(path, { rotation: { maximumSize: 1, maximumFiles, compresses }, compressor });
  t.after(() => log.close());
  for (const [index, content] of contents.entries()) {
    if (index > 0) log.rotate();
    log.append(Buffer.from(content));
  }
  return {
    path,
    log,
    contents: () =>
      Object.fromEntries(
        readdirSync(directory)
          .sort()
          .map((name) => [name, readFileSync(join(directory, name), 'latin1')]),
      ),
    read: () => {
      const cursor = new LogCursor(path, new CaptureState(), 'present');
      const buffer = Buffer.alloc(1000);
      let text = '';
      for (let count = cursor.read(buffer, 0); count > 0; count = cursor.read(buffer, 0))
        text += buffer.toString('latin1', 0, count);
      cursor.close();
      return text;
    },
  };
}

/** Calls of this function of node:fs for `log` and `log.next` fail until the returned function is called. */
function failing(t: TestContext, name: 'linkSync' | 'renameSync', code: string): () => void {
  const original = fs[name];
  const mocked = t.mock.method(fs, name, (from: string, to: string) => {
    if (/log(\.next)?$/.test(from)) throw Object.assign(new Error(code), { code });
    original(from, to);
  });
  syncBuiltinESMExports();
  const restore = (): void => {
    mocked.mock.restore();
    syncBuiltinESMExports();
  };
  t.after(restore);
  return restore;
}

test('a rotation that was killed before its last step is completed, and no file is lost or stored twice', (t) => {
  const { path, log, contents, read } = openLog(t, ['a\n', 'b\n', 'c\n'], 4);
  renameSync(`${path}.2`, `${path}.3`);
  renameSync(`${path}.1`, `${path}.2`);
  linkSync(path, `${path}.1`);
  assert.equal(read(), 'a\nb\nc\n');
  log.rotate();
  log.append(Buffer.from('d\n'));
  assert.deepEqual(contents(), { log: 'd\n', 'log.1': 'c\n', 'log.2': 'b\n', 'log.3': 'a\n' });
});

test('a rotation that was killed between two files loses and hides none', (t) => {
  for (const gap of [1, 2]) {
    const { path, log, contents, read } = openLog(t, ['a\n', 'b\n', 'c\n'], 4);
    for (let age = 2; age >= gap; age -= 1) renameSync(`${path}.${age}`, `${path}.${age + 1}`);
    assert.equal(read(), 'a\nb\nc\n', 'readers find the files beyond the gap');
    log.rotate();
    log.append(Buffer.from('d\n'));
    assert.deepEqual(contents(), { log: 'd\n', 'log.1': 'c\n', 'log.2': 'b\n', 'log.3': 'a\n' });
  }
});

for (const name of ['linkSync', 'renameSync'] as const)
  test(`rotations that fail at ${name} again and again delete no more than one file`, (t) => {
    const { log, contents, read } = openLog(t, ['a\n', 'b\n', 'c\n', 'd\n'], 4);
    const restore = failing(t, name, 'EIO');
    for (let attempt = 0; attempt < 5; attempt += 1) assert.throws(() => log.rotate(), /EIO/);
    restore();
    assert.equal(read(), 'b\nc\nd\n');
    log.rotate();
    log.append(Buffer.from('e\n'));
    assert.deepEqual(contents(), { log: 'e\n', 'log.1': 'd\n', 'log.2': 'c\n', 'log.3': 'b\n' });
  });

test('a log on a file system without hard links is rotated', (t) => {
  failing(t, 'linkSync', 'EPERM');
  const { contents } = openLog(t, ['a\n', 'b\n', 'c\n', 'd\n'], 3);
  assert.deepEqual(contents(), { log: 'd\n', 'log.1': 'c\n', 'log.2': 'b\n' });
});

test('the present log is not compressed under the second name that a killed rotation gave it', async (t) => {
  const { path, log, contents } = openLog(t, ['a\n'], 4, true);
  linkSync(path, `${path}.1`);
  writeFileSync(`${path}.2`, 'older\n');
  const compressor = new LogCompressor((_, error) => assert.fail(String(error)));
  const rotation = { maximumSize: 1, maximumFiles: 4, compresses: true };
  new LogFile(path, { rotation, compressor }).close();
  while (existsSync(`${path}.2`) || existsSync(`${path}.compressing`)) await nextTurn();
  log.append(Buffer.from('b\n'));
  assert.deepEqual(Object.keys(contents()), ['log', 'log.1', 'log.2.gz']);
  assert.equal(contents()['log'], 'a\nb\n');
});

test('the number of files may be any, also when they are compressed', async (t) => {
  const { path, contents } = openLog(t, ['a\n', 'b\n', 'c\n'], Number.MAX_SAFE_INTEGER, true);
  while (existsSync(`${path}.1`) || existsSync(`${path}.2`) || existsSync(`${path}.compressing`)) await nextTurn();
  assert.deepEqual(Object.keys(contents()), ['log', 'log.1.gz', 'log.2.gz']);
});
