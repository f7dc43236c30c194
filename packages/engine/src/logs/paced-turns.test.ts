import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as immediate, setTimeout as pause } from 'node:timers/promises';
import { PacedTurns } from './paced-turns.ts';

test('tasks work in the order in which they asked', async () => {
  const turns = new PacedTurns(() => 0);
  const order: string[] = [];
  const work = async (name: string): Promise<void> => {
    for (let count = 0; count < 2; count += 1) {
      await turns.next();
      order.push(name);
    }
  };
  await Promise.all(['a', 'b', 'c'].map(work));
  assert.deepEqual(order, ['a', 'b', 'c', 'a', 'b', 'c']);
  assert.equal(turns.waiting, 0);
});

test('work of one task delays all that wait, also those whose wait began before it', async () => {
  let now = 0;
  const turns = new PacedTurns(() => now);
  const done: string[] = [];
  const first = turns.next().then(() => turns.spend(4, 0.5)); // 4 ms of work: 4 ms of pause
  const others = ['a', 'b'].map((name) => turns.next().then(() => done.push(name)));
  await first;
  now = 3;
  for (let count = 0; count < 3; count += 1) await immediate();
  await pause(5); // the clock of the turns stands still
  assert.deepEqual(done, []);
  assert.equal(turns.waiting, 2);
  now = 4;
  await Promise.all(others);
  assert.deepEqual(done, ['a', 'b']);
});
