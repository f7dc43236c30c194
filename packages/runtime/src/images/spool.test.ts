import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { spool } from './spool.ts';

const folder = mkdtempSync(join(tmpdir(), 'netyard-'));
test.after(() => rmSync(folder, { recursive: true }));

function emptyFolder(): string {
  const path = join(folder, 'spool');
  mkdirSync(path);
  return path;
}

async function* source(): AsyncGenerator<Uint8Array> {
  for (let index = 0; index < 5; index += 1) yield Buffer.alloc(700_000, String(index));
}

async function bytesOf(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces);
}

test('spooled data are read as often as needed, and no name is left of them', async () => {
  const path = emptyFolder();
  const data = await spool(source(), path);
  assert.equal(existsSync(path), false);
  const expected = await bytesOf(source());
  assert.equal(data.size, expected.length);
  assert.equal(data.digest, `sha256:${createHash('sha256').update(expected).digest('hex')}`);
  for (let round = 0; round < 2; round += 1) assert.ok((await bytesOf(data.read())).equals(expected));
  await data.discard();
  await assert.rejects(data.read()[Symbol.asyncIterator]().next(), /after its end/);
});

test('the error of the source is reported, and no name is left', async () => {
  const path = emptyFolder();
  const failing = async function* (): AsyncGenerator<Uint8Array> {
    yield* source();
    throw new Error('broken off');
  };
  await assert.rejects(spool(failing(), path), /broken off/);
  assert.equal(existsSync(path), false);
});
