/** Listeners that do not read: their backlog is bounded, and other listeners are not delayed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '@netyard/core';
import type { EngineEvent } from '../model.ts';
import { EventLog } from './event-log.ts';

const { signal } = new AbortController();
const all = { since: undefined, until: undefined, filters: new Map(), signal };

const event = (name: string): Omit<EngineEvent, 'time'> => ({
  type: 'container',
  action: 'start',
  actorId: name,
  attributes: {},
});

test('a listener that does not read is ended after a bounded number of events, without a gap before', async () => {
  const log = new EventLog(systemClock);
  const silent = log.subscribe(all);
  assert.deepEqual(log.counters, { events: 0, eventSubscribers: 1 });
  const reader = log.subscribe(all)[Symbol.asyncIterator]();
  for (let index = 0; index < 20_000; index += 1) {
    log.publish(event(String(index)));
    assert.equal((await reader.next()).value?.actorId, String(index));
  }
  const seen: string[] = [];
  for await (const { actorId } of silent) seen.push(actorId);
  assert.deepEqual(
    seen,
    Array.from({ length: 4096 }, (_, index) => String(index)),
  );
  assert.deepEqual(log.counters, { events: 20_000, eventSubscribers: 1 });
});
