import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { close, closeSync, constants, fstatSync, mkdtempSync, open, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import type { Piece } from '@netyard/core';
import { writePieces } from './write-pieces.ts';

const folder = mkdtempSync(join(tmpdir(), 'netyard-pieces-'));
after(() => rmSync(folder, { recursive: true }));

/** Runs with a new file, and returns its path. */
async function withFile(name: string, work: (fd: number) => Promise<void>): Promise<string> {
  const path = join(folder, name);
  const fd = openSync(path, 'w');
  try {
    await work(fd);
  } finally {
    closeSync(fd);
  }
  return path;
}

async function* piecesOf(...pieces: Piece[]): AsyncGenerator<Piece> {
  yield* pieces;
}

/** Keeps all four threads of the pool waiting until the returned function is called: opening a FIFO waits for its other end. */
function occupyThreads(): () => void {
  const paths = [0, 1, 2, 3].map((index) => join(folder, `fifo${index}`));
  execFileSync('mkfifo', paths);
  const opened = paths.map((path) => promisify(open)(path, 'r').then(promisify(close)));
  return () => {
    const others = paths.map((path) => openSync(path, constants.O_RDWR));
    void Promise.all(opened).then(() => others.forEach(closeSync));
  };
}

test('pieces of all sizes, with holes and empty ones, arrive where they belong', async () => {
  const expected = Buffer.alloc(8 * 1024 * 1024);
  const pieces: Piece[] = [];
  let position = 0;
  for (const [index, size] of [0, 1, 511, 65_536, 0, 300_000, 900_000, 2_000_000, 7, 65_537, 1].entries()) {
    if (index % 3 === 2) position += 4096;
    const data = Buffer.alloc(size, index + 1);
    data.copy(expected, position);
    pieces.push({ position, data });
    position += size;
  }
  const path = await withFile('sizes', (fd) => writePieces(fd, piecesOf(...pieces)));
  assert.ok(readFileSync(path).equals(expected.subarray(0, position)));
});

test('further pieces are received while a step is written', async () => {
  const release = occupyThreads();
  const size = 1024 * 1024;
  async function* source(): AsyncGenerator<Piece> {
    yield { position: 0, data: Buffer.alloc(size, 'a') };
    release(); // the first step could not be written so far
    yield { position: size, data: Buffer.alloc(size, 'b') };
  }
  const path = await withFile('overlap', (fd) => writePieces(fd, source()));
  assert.ok(readFileSync(path).equals(Buffer.concat([Buffer.alloc(size, 'a'), Buffer.alloc(size, 'b')])));
});

test('when the source fails, nothing is being written any more', async () => {
  const data = Buffer.alloc(64 * 1024 * 1024, 'a');
  async function* source(): AsyncGenerator<Piece> {
    yield { position: 0, data };
    throw new Error('the client is gone');
  }
  await withFile('failed', async (fd) => {
    await assert.rejects(writePieces(fd, source()), /the client is gone/);
    assert.equal(fstatSync(fd).size, data.length);
  });
});

test('the memory of owned pieces is freed, unless they are small or a part of their buffer', async () => {
  const [whole, small] = [Buffer.alloc(1_500_000, 'a'), Buffer.alloc(100, 'b')];
  const part = Buffer.alloc(200_000, 'c').subarray(0, 100_000);
  const expected = Buffer.concat([whole, small, part]);
  const pieces = (): AsyncGenerator<Piece> =>
    piecesOf(
      { position: 0, data: whole },
      { position: whole.length, data: small },
      { position: whole.length + small.length, data: part },
    );
  for (const areOwned of [false, true]) {
    const path = await withFile(`owned-${areOwned}`, (fd) => writePieces(fd, pieces(), { areOwned }));
    assert.ok(readFileSync(path).equals(expected));
    assert.equal(whole.length, areOwned ? 0 : 1_500_000);
  }
  assert.deepEqual([small.length, part.length], [100, 100_000]);
});

test('a failed write ends the source at its next piece, and is reported after the last one', async () => {
  const path = join(folder, 'read-only');
  closeSync(openSync(path, 'w'));
  const fd = openSync(path, 'r');
  const data = Buffer.alloc(1024 * 1024);
  let asked = 0;
  async function* endless(): AsyncGenerator<Piece> {
    for (; asked < 1000; asked += 1) {
      await new Promise(setImmediate);
      yield { position: asked * data.length, data };
    }
  }
  await assert.rejects(writePieces(fd, endless()), { code: 'EBADF' });
  assert.ok(asked < 5, `${asked} pieces`);
  for (const size of [1, 100_000]) {
    const last = piecesOf({ position: 0, data: data.subarray(0, size) });
    await assert.rejects(writePieces(fd, last), { code: 'EBADF' });
  }
  closeSync(fd);
});
