import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Allowance, Pacer, pauseAfter, shareFor } from './pace.ts';

test('fast writers get less CPU while requests are served, and on few CPUs never all of it', () => {
  const never = Number.POSITIVE_INFINITY;
  assert.ok(shareFor(2, 10) < shareFor(2, never));
  assert.ok(shareFor(2, never) < 1);
  assert.equal(shareFor(8, never), 1);
  assert.equal(shareFor(8, 10), shareFor(2, 10));
  assert.equal(shareFor(2, 10_000), shareFor(2, never));
});

test('a pause limits work to its share of the time, and is never long', () => {
  assert.equal(pauseAfter(3, 1), 0);
  assert.equal(pauseAfter(3, 0.5), 3);
  assert.equal(pauseAfter(3, 0.25), 9);
  assert.equal(pauseAfter(1000, 0.25), 20);
});

test('short time slices add up to one pause', () => {
  const pacer = new Pacer();
  pacer.spend(1.5, 100, 0.5);
  assert.equal(pacer.waitMs(100), 0);
  pacer.spend(1.5, 102, 0.5);
  assert.deepEqual(
    [102, 104, 105, 200].map((now) => pacer.waitMs(now)),
    [3, 1, 0, 0],
  );
  pacer.spend(1.5, 106, 0.5);
  assert.equal(pacer.waitMs(106), 0);
});

test('over any second fast writers get about their share, and at least one time slice in 20 ms', () => {
  for (const [share, turn] of [
    [0.2, 1],
    [0.2, 3],
    [0.6, 3],
    [0.2, 200],
  ] as const) {
    const pacer = new Pacer();
    let worked = 0;
    let now = 0;
    while (now < 10_000) {
      now += pacer.waitMs(now) + turn;
      worked += turn;
      pacer.spend(turn, now, share);
    }
    const least = turn / (turn + 20);
    assert.ok(worked / now > 0.95 * Math.max(share, least) && worked / now < 1.05 * Math.max(share, least));
  }
});

test('a container that writes occasionally is not paced, one that writes continuously is, and only for as long', () => {
  const quiet = new Allowance(0);
  for (let now = 20; now < 2_000; now += 20) assert.equal(quiet.spend(0.5, now, 1), false);
  const burst = new Allowance(0);
  assert.equal(burst.spend(4, 10, 1), false);
  const fast = new Allowance(0);
  let paced = 0;
  for (let now = 3; now <= 300; now += 3) if (fast.spend(3, now, 1)) paced += 1;
  assert.ok(paced > 95);
  assert.equal(fast.spend(0.1, 600, 1), false);
});

test('the free share does not grow with the number of containers that write continuously', () => {
  for (const count of [1, 8, 50]) {
    const writers = Array.from({ length: count }, () => new Allowance(0));
    let unpacedMs = 0;
    for (let now = 1; now <= 10_000; now += 1)
      if (!writers[now % count]?.spend(1, now, count)) unpacedMs += now > 1_000 ? 1 : 0;
    assert.ok(unpacedMs <= 0.06 * 9_000, `${count} writers: ${unpacedMs} ms of 9000`);
  }
});
