import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { silentLogger, systemClock } from '@netyard/core';
import type { HostItem, SnapshotMessage } from '@netyard/page';
import { diffItems, Feed, type FeedMessage, type FeedSource } from './feed.ts';

const host = (name: string, problems: string[] = []): HostItem => ({
  ...{ kind: 'host', id: `host:${name}`, name, version: '1', uplinks: [], problems },
});

test('a patch has new and changed items, and the ids of removed ones', () => {
  const json = (items: HostItem[]) => new Map(items.map((item) => [item.id, JSON.stringify(item)]));
  const after = [host('a'), host('b', ['x']), host('d')];
  assert.deepEqual(diffItems(json([host('a'), host('b'), host('c')]), json(after), after), {
    set: [host('b', ['x']), host('d')],
    removed: ['host:c'],
  });
});

test('the feed reads only while there are listeners; each gets a snapshot, then patches', async () => {
  let reads = 0;
  let items = [host('a')];
  let changed: (() => void) | undefined;
  let watching = 0;
  const source: FeedSource = {
    async read() {
      reads += 1;
      return { items, peerPackets: new Map() };
    },
    sample: async () => new Map(),
    watch(call, signal) {
      changed = call;
      watching += 1;
      signal.addEventListener('abort', () => {
        watching -= 1;
      });
    },
  };
  const feed = new Feed(source, systemClock, silentLogger);
  assert.equal(feed.snapshot(), undefined);
  const first = collect(feed);
  await first.next();
  const second = collect(feed);
  for (const { messages } of [first, second])
    assert.deepEqual(JSON.parse(messages[0]?.data ?? '') as SnapshotMessage, { items: [host('a')] });
  items = [host('b')];
  changed?.();
  await Promise.all([first.next(), second.next()]);
  const patch = { event: 'patch', data: JSON.stringify({ set: [host('b')], removed: ['host:a'] }) };
  assert.deepEqual([first.messages[1], second.messages[1]], [patch, patch]);
  assert.equal(watching, 1);
  first.end();
  assert.equal(watching, 1);
  second.end();
  assert.equal(watching, 0);
  const before = reads;
  changed?.();
  await pause(300);
  assert.equal(reads, before, 'a change without listeners is not read');
});

interface Collected {
  messages: FeedMessage[];
  /** Resolves at the next message. */
  next(): Promise<void>;
  end(): void;
}

function collect(feed: Feed): Collected {
  const messages: FeedMessage[] = [];
  let arrived = Promise.withResolvers<void>();
  const end = feed.listen((message) => {
    messages.push(message);
    arrived.resolve();
    arrived = Promise.withResolvers();
  });
  return { messages, next: () => arrived.promise, end };
}
