import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { WriteBatch } from './write-batch.ts';

test('pieces of all sizes, with holes and empty ones, arrive where they belong', async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'netyard-batch-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'file');
  const fd = openSync(path, 'w');
  const expected = Buffer.alloc(8 * 1024 * 1024);
  const batch = new WriteBatch(fd);
  let position = 0;
  for (const [index, size] of [0, 1, 511, 65_536, 0, 300_000, 900_000, 2_000_000, 7, 65_537, 1].entries()) {
    if (index % 3 === 2) position += 4096;
    const data = Buffer.alloc(size, index + 1);
    data.copy(expected, position);
    await batch.add(position, data);
    position += size;
  }
  await batch.flush();
  await batch.flush();
  closeSync(fd);
  assert.ok(readFileSync(path).equals(expected.subarray(0, position)));
});
