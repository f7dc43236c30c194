import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { formatEvent, streamEvents } from './event-stream.ts';
import type { FeedListener, FeedMessage } from './feed.ts';

const snapshot = (data: string): FeedMessage => ({ event: 'snapshot', data });

test('a slow reader misses patches and rates, and gets one snapshot when it reads again', () => {
  const written: string[] = [];
  let release: (() => void) | undefined;
  const sink = new Writable({
    highWaterMark: 1,
    write(piece: Buffer, _encoding, done) {
      written.push(piece.toString());
      release = done;
    },
  });
  let listener: FeedListener = () => assert.fail('no listener');
  let ended = 0;
  const feed = {
    listen(given: FeedListener) {
      listener = given;
      given(snapshot('1'));
      return () => {
        ended += 1;
      };
    },
    snapshot: () => snapshot('now'),
  };
  streamEvents(sink, feed, () => true);
  for (let count = 0; count < 1_000; count += 1) {
    listener({ event: 'patch', data: 'x'.repeat(1_000) });
    listener({ event: 'rates', data: '{}' });
  }
  assert.ok(sink.writableLength < 100, 'nothing is queued');
  release?.();
  return new Promise<void>((resolve) => {
    setImmediate(() => {
      assert.deepEqual(written, [formatEvent(snapshot('1')), formatEvent(snapshot('now'))]);
      sink.destroy();
      sink.once('close', () => {
        assert.equal(ended, 1);
        resolve();
      });
    });
  });
});

test('a reader that misses only rates gets no snapshot', () => {
  const written: string[] = [];
  let release: (() => void) | undefined;
  const sink = new Writable({
    highWaterMark: 1,
    write(piece: Buffer, _encoding, done) {
      written.push(piece.toString());
      release = done;
    },
  });
  let listener: FeedListener = () => assert.fail('no listener');
  const feed = {
    listen(given: FeedListener) {
      listener = given;
      return () => undefined;
    },
    snapshot: () => snapshot('now'),
  };
  streamEvents(sink, feed, () => true);
  listener({ event: 'patch', data: '{}' });
  listener({ event: 'rates', data: '{}' });
  release?.();
  return new Promise<void>((resolve) => {
    setImmediate(() => {
      assert.deepEqual(written, [formatEvent({ event: 'patch', data: '{}' })]);
      sink.destroy();
      resolve();
    });
  });
});
