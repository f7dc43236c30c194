/** Reading blobs from a fake containerd of a few messages. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerdClient } from '../containerd/client.ts';
import { containerdBlobs } from './containerd-blobs.ts';

function fakeBlobs() {
  const signals: AbortSignal[] = [];
  const content = {
    read(_request: unknown, { signal }: { signal: AbortSignal }) {
      signals.push(signal);
      return (async function* () {
        for (let piece = 0; piece < 3; piece += 1) yield { data: Buffer.from(String(piece)) };
      })();
    },
  };
  const client = { content } as unknown as ContainerdClient;
  return { blobs: containerdBlobs(client), signals };
}

test('a reader that stops early ends the call to containerd', async () => {
  const { blobs, signals } = fakeBlobs();
  for await (const data of blobs.read('sha256:0')) {
    assert.equal(Buffer.from(data).toString(), '0');
    assert.equal(signals[0]?.aborted, false);
    break;
  }
  assert.equal(signals[0]?.aborted, true);
});

test('a reader that does not stop gets all messages', async () => {
  const { blobs } = fakeBlobs();
  let text = '';
  for await (const data of blobs.read('sha256:0')) text += Buffer.from(data).toString();
  assert.equal(text, '012');
});
