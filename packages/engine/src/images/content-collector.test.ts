/** What is kept and what is removed while several operations add content at the same time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '@netyard/core';
import type { ImageRecord } from '../model.ts';
import type { ImageContent } from '../ports.ts';
import { ContentCollector } from './content-collector.ts';
import { progressOf } from './progress.ts';
import { TaskPool } from './task-pool.ts';

function ledgerOn(kept: { images: ImageRecord[]; containerLayers: string[] }) {
  const blobs = new Set<string>();
  const layers = new Set<string>();
  const failing = new Set<string>();
  const content = {
    write: async ({ digest = 'sha256:unnamed', mediaType }: { digest?: string; mediaType: string }) => {
      blobs.add(digest);
      return { digest, mediaType, size: 1 };
    },
    unpack: async (_: unknown, __: unknown, chainId: string) => {
      layers.add(chainId);
      return { diffId: chainId };
    },
    remove: async (digest: string) => {
      if (failing.has(digest)) throw new Error('busy');
      blobs.delete(digest);
    },
    removeLayer: async (chainId: string) => void layers.delete(chainId),
    discardUnused: async () => undefined,
    listBlobs: async () => [...blobs].map((digest) => ({ digest, mediaType: '', size: 1 })),
    listLayers: async () => [...layers],
  } as unknown as ImageContent;
  const intents = new Set<string>();
  const store = {
    images: () => kept.images,
    putImage() {},
    deleteImage() {},
    contentIntents: () => [...intents],
    putContentIntent: (name: string) => void intents.add(name),
    deleteContentIntent: (name: string) => void intents.delete(name),
  };
  const parts = { content, store, containerLayers: () => kept.containerLayers, logger: silentLogger };
  return { ledger: new ContentCollector(parts), blobs, layers, failing, intents };
}

const nothing = (async function* () {})();
const blob = (digest: string) => ({ digest, mediaType: '' });
const imageOf = (digest: string, chainId: string): ImageRecord =>
  ({ configDigest: 'config', layers: [{ digest, chainId }] }) as unknown as ImageRecord;

test('content of a failed operation is removed, content that an image names is kept', async () => {
  const kept = { images: [imageOf('a', 'chain')], containerLayers: ['used'] };
  const { ledger, blobs, layers } = ledgerOn(kept);
  const failed = ledger.adding(async (adding) => {
    for (const digest of ['a', 'b']) await adding.write(blob(digest), nothing);
    for (const chainId of ['chain', 'used', 'other']) await adding.unpack({ ...blob('a'), size: 1 }, [], chainId);
    throw new Error('failed');
  });
  await assert.rejects(failed, /failed/);
  assert.deepEqual([...blobs], ['a']);
  assert.deepEqual([...layers], ['chain', 'used']);
});

test('nothing is removed while content is being added', async () => {
  const kept = { images: [] as ImageRecord[], containerLayers: [] };
  const { ledger, blobs } = ledgerOn(kept);
  const gate = Promise.withResolvers<void>();
  const slow = ledger.adding(async (adding) => {
    await adding.write(blob('shared'), nothing);
    await gate.promise;
    assert.ok(blobs.has('shared'));
    kept.images.push(imageOf('shared', 'chain'));
  });
  await assert.rejects(
    ledger.adding(async (adding) => {
      await adding.write(blob('shared'), nothing);
      await adding.write(blob('mine'), nothing);
      throw new Error('failed');
    }),
  );
  await ledger.release({ blobs: ['shared'], layers: [] });
  assert.deepEqual([...blobs], ['shared', 'mine']);
  gate.resolve();
  await slow;
  assert.deepEqual([...blobs], ['shared']);
});

test('at the start only unneeded content of unfinished operations is removed', async () => {
  const kept = { images: [imageOf('a', 'chain')], containerLayers: [] };
  const { ledger, blobs, layers, failing, intents } = ledgerOn(kept);
  for (const digest of ['a', 'config', 'old', 'stuck', 'unnamed']) blobs.add(digest);
  for (const chainId of ['chain', 'old', 'unnamed']) layers.add(chainId);
  for (const name of ['blob a', 'blob old', 'blob stuck', 'layer chain', 'layer old']) intents.add(name);
  failing.add('stuck');
  await ledger.collect([]);
  assert.deepEqual(
    [[...blobs], [...layers]],
    [
      ['a', 'config', 'stuck', 'unnamed'],
      ['chain', 'unnamed'],
    ],
  );
  assert.deepEqual([...intents], ['blob stuck']);
  assert.deepEqual(await ledger.unnamed(), ['blob unnamed', 'layer unnamed']);
  failing.clear();
  await ledger.release({ blobs: [], layers: [] });
  assert.deepEqual([...blobs], ['a', 'config', 'unnamed']);
  assert.deepEqual([...intents], []);
});

test('content that an image names has no intent, also while other work still adds content', async () => {
  const kept = { images: [imageOf('a', 'chain')], containerLayers: [] };
  const { ledger, intents, blobs, layers } = ledgerOn(kept);
  const gate = Promise.withResolvers<void>();
  const slow = ledger.adding(async (adding) => {
    await adding.write(blob('a'), nothing); // of an image that exists
    await adding.write(blob('slow'), nothing);
    await gate.promise;
  });
  await ledger.adding(async (adding) => {
    await adding.write(blob('b'), nothing);
    await adding.unpack({ ...blob('b'), size: 1 }, [], 'chain b');
    assert.deepEqual([...intents].sort(), ['blob b', 'blob slow', 'layer chain b']);
    kept.images.push(imageOf('b', 'chain b'));
  });
  assert.deepEqual([...intents], ['blob slow']);
  gate.resolve();
  await slow;
  assert.deepEqual([[...intents], [...blobs], [...layers]], [[], ['a', 'b'], ['chain b']]);
});

test('progress ends with the work, and the work ends when the reader stops', async () => {
  const lines = [];
  for await (const line of progressOf(async (report) => {
    report({ id: 'x', status: 'Downloading', current: 1 });
    report({ id: 'x', status: 'Downloading', current: 2 });
    await Promise.resolve();
    report({ status: 'done' });
  }))
    lines.push(line);
  assert.deepEqual(lines.at(-1), { status: 'done' });
  assert.ok(lines.some(({ current }) => current === 2));
  let stopped = false;
  for await (const _ of progressOf(async (report, signal) => {
    report({ status: 'begun' });
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
    stopped = true;
  }))
    break;
  assert.ok(stopped);
  const failing = progressOf(async (report) => {
    report({ status: 'sent before' });
    throw new Error('failed');
  });
  assert.deepEqual((await failing.next()).value, { status: 'sent before' });
  await assert.rejects(failing.next(), /failed/);
});

test('a pool runs a limited number of tasks at a time, and its first failure stops the rest', async () => {
  const pool = new TaskPool(2, new AbortController().signal);
  let running = 0;
  let most = 0;
  const work = async (): Promise<void> => {
    running += 1;
    most = Math.max(most, running);
    await new Promise((resolve) => setImmediate(resolve));
    running -= 1;
  };
  await Promise.all(Array.from({ length: 7 }, () => pool.run(work)));
  assert.equal(most, 2);
  const started: number[] = [];
  const results = await Promise.allSettled([
    pool.run((signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))),
    pool.run(async () => Promise.reject(new Error('first'))),
    pool.run(async () => void started.push(3)),
  ]);
  assert.deepEqual(
    results.map(({ status }) => status),
    ['rejected', 'rejected', 'rejected'],
  );
  assert.deepEqual(started, []);
});
