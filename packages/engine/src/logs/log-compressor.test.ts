import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { CaptureState } from './capture-state.ts';
import { LogCompressor } from './log-compressor.ts';
import { LogCursor } from './log-cursor.ts';
import { LogFile } from './log-file.ts';

interface Subject {
  directory: string;
  log: LogFile;
  state: CaptureState;
  compressor: LogCompressor;
  /** Writes lines with numbers to the log, one file for each group. */
  write(groups: readonly [number, number][]): Promise<void>;
}

function openLog(t: TestContext, maximumFiles = 9): Subject {
  const directory = mkdtempSync(join(tmpdir(), 'netyard-log-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const compressor = new LogCompressor((_, error) => assert.fail(String(error)));
  const rotation = { maximumSize: 1, maximumFiles, compresses: true };
  const log = new LogFile(join(directory, 'log'), { rotation, compressor });
  t.after(() => log.close());
  const state = new CaptureState();
  const write = async (groups: readonly [number, number][]): Promise<void> => {
    for (const [from, to] of groups) {
      if (log.size > 0) log.rotate();
      log.append(Buffer.from(lines(from, to)));
      state.setLog(log);
      await allCompressed(directory);
    }
  };
  return { directory, log, state, compressor, write };
}

async function allCompressed(directory: string): Promise<void> {
  while (readdirSync(directory).some((name) => /\.\d+$|compressing/.test(name))) await nextTurn();
}

const lines = (from: number, to: number): string =>
  Array.from({ length: to - from }, (_, index) => `line ${from + index}\n`).join('');

function readAll(cursor: LogCursor): string {
  const buffer = Buffer.alloc(50_000);
  let text = '';
  for (let count = cursor.read(buffer, 0); count > 0; count = cursor.read(buffer, 0))
    text += buffer.toString('latin1', 0, count);
  return text;
}

const many: [number, number][] = [
  [0, 30_000], // several blocks
  [30_000, 30_001],
  [30_001, 30_010],
];

test('rotated files are compressed, and zcat prints them', async (t) => {
  const { directory, write } = openLog(t);
  await write(many);
  assert.deepEqual(readdirSync(directory).sort(), ['log', 'log.1.gz', 'log.2.gz']);
  const printed = execFileSync('zcat', [join(directory, 'log.2.gz')], { encoding: 'latin1', maxBuffer: 2 ** 30 });
  assert.equal(printed, lines(0, 30_000));
});

test('a log is read through its compressed files, from the start or from the last lines', async (t) => {
  const { log, state, write } = openLog(t);
  await write(many);
  for (const count of [undefined, 0, 1, 9, 10, 11, 25_000, 40_000]) {
    const cursor = new LogCursor(log.path, state, 'present');
    if (count !== undefined) cursor.seekTail(count);
    assert.equal(readAll(cursor), lines(Math.max(0, 30_010 - (count ?? Number.POSITIVE_INFINITY)), 30_010));
    cursor.close();
  }
});

test('a follower misses nothing and reads nothing twice when files are compressed behind it', async (t) => {
  const { log, state, write } = openLog(t);
  await write([[0, 10]]);
  const cursor = new LogCursor(log.path, state, 'growing');
  assert.equal(readAll(cursor), lines(0, 10));
  await write([
    [10, 20],
    [20, 30],
    [30, 40],
  ]);
  assert.equal(readAll(cursor), lines(10, 40));
  await write([[40, 50]]);
  assert.equal(readAll(cursor), lines(40, 50));
  cursor.close();
});

test('the number of files is limited, compressed ones included', async (t) => {
  const { directory, write } = openLog(t, 3);
  await write([
    [0, 1],
    [1, 2],
    [2, 3],
    [3, 4],
  ]);
  assert.deepEqual(readdirSync(directory).sort(), ['log', 'log.1.gz', 'log.2.gz']);
});

test('a file that rotates while it is compressed is replaced under its new name', async (t) => {
  const { directory, log, state, write } = openLog(t);
  await write([[0, 30_000]]);
  log.rotate();
  log.append(Buffer.from(lines(30_000, 30_010)));
  await nextTurn();
  log.rotate();
  log.append(Buffer.from(lines(30_010, 30_020)));
  state.setLog(log);
  await allCompressed(directory);
  assert.deepEqual(readdirSync(directory).sort(), ['log', 'log.1.gz', 'log.2.gz']);
  assert.equal(readAll(new LogCursor(log.path, state, 'present')), lines(0, 30_020));
});

test('what a killed daemon left uncompressed is compressed by the next one', async (t) => {
  const { directory, log, compressor } = openLog(t);
  writeFileSync(`${log.path}.1`, lines(0, 10));
  writeFileSync(`${log.path}.compressing`, 'half');
  const rotation = { maximumSize: 1, maximumFiles: 9, compresses: true };
  new LogFile(log.path, { rotation, compressor }).close();
  await allCompressed(directory);
  assert.deepEqual(readdirSync(directory).sort(), ['log', 'log.1.gz']);
});

test('a damaged compressed file and one of another program hide no other lines', async (t) => {
  const { log, state, write } = openLog(t);
  await write(many);
  const path = `${log.path}.2.gz`;
  const bytes = readFileSync(path);
  bytes.fill(0xff, 100, 300); // in the first block
  writeFileSync(path, bytes);
  assert.equal(readAll(new LogCursor(log.path, state, 'present')), lines(30_000, 30_010));
  const tails: [number, number][] = [
    [5, 30_005],
    [10_010, 20_000], // begins after the damaged block
    [29_000, 30_000],
  ];
  for (const [count, first] of tails) {
    const cursor = new LogCursor(log.path, state, 'present');
    cursor.seekTail(count);
    assert.equal(readAll(cursor), lines(first, 30_010));
    cursor.close();
  }
  writeFileSync(path, 'not compressed');
  assert.equal(readAll(new LogCursor(log.path, state, 'present')), lines(30_000, 30_010));
});
