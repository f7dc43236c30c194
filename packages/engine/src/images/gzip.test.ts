/** Layers are compressed in members: any reader of gzip gets the same bytes. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { Compressor } from './gzip.ts';

async function compressed(bytes: Uint8Array, size: number): Promise<Buffer> {
  const stream = async function* () {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  };
  const chunks: Uint8Array[] = [];
  for await (const chunk of new Compressor().members(stream())) chunks.push(chunk);
  return Buffer.concat(chunks);
}

test('streams of any length are compressed and read back, by gzip as well', async () => {
  const member = 4 * 1024 * 1024;
  for (const length of [0, 1, member, member + 1, 5 * member + 12_345]) {
    const bytes = Buffer.concat([randomBytes(Math.min(length, 100_000)), Buffer.alloc(Math.max(0, length - 100_000))]);
    const result = await compressed(bytes, 65_536);
    assert.ok(gunzipSync(result).equals(bytes), String(length));
    assert.ok(execFileSync('gzip', ['-dc'], { input: result, maxBuffer: 1e9 }).equals(bytes), String(length));
    assert.ok(result.equals(await compressed(bytes, 1_000_003)), 'chunks do not change the result');
  }
});

test('a failure of the source is the failure of the stream', async () => {
  const failing = async function* () {
    yield Buffer.alloc(9 * 1024 * 1024);
    throw new Error('disk');
  };
  await assert.rejects(async () => {
    for await (const _ of new Compressor().members(failing()));
  }, /disk/);
});
