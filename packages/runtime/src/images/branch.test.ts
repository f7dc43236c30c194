import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Branch } from './branch.ts';

const chunks = Array.from({ length: 20 }, (_, index) => new Uint8Array(1024 * 1024).fill(index));

async function* source(fails = false): AsyncGenerator<Uint8Array> {
  yield* chunks;
  if (fails) throw new Error('broken off');
}

async function read(stream: AsyncIterable<Uint8Array>, most = Number.POSITIVE_INFINITY): Promise<Uint8Array[]> {
  const all: Uint8Array[] = [];
  for await (const chunk of stream) {
    all.push(chunk);
    if (all.length >= most) break;
  }
  return all;
}

test('both readers receive the whole stream', async () => {
  const branch = new Branch();
  const both = await Promise.all([read(branch.first(source())), read(branch.second())]);
  assert.deepEqual(both, [chunks, chunks]);
});

test('the first reader continues when the second one stops', async () => {
  const branch = new Branch();
  const [first, second] = await Promise.all([read(branch.first(source())), read(branch.second(), 2)]);
  assert.deepEqual([first.length, second.length], [20, 2]);
});

test('no reader waits for one that never begins', async () => {
  const alone = new Branch();
  alone.leave();
  assert.equal((await read(alone.first(source()))).length, 20);
  const never = new Branch();
  never.end();
  await assert.rejects(read(never.second()), /failed/);
});

test('the second reader fails when the stream fails or the first reader stops', async () => {
  for (const first of [
    (branch: Branch) => read(branch.first(source(true))),
    (branch: Branch) => read(branch.first(source()), 3),
  ]) {
    const branch = new Branch();
    const [, second] = await Promise.allSettled([first(branch), read(branch.second())]);
    assert.equal(second.status, 'rejected');
  }
});
