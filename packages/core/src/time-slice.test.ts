import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TimeSlice } from './time-slice.ts';

test('an iteration of the event loop continues one piece of long work, in turn', async () => {
  const order: string[] = [];
  let isRunning = true;
  const countIterations = (): void => {
    order.push('|');
    if (isRunning) setImmediate(countIterations);
  };
  const work = async (name: string): Promise<void> => {
    const slice = new TimeSlice();
    for (let part = 0; part < 3; part += 1) {
      await slice.next();
      order.push(name);
    }
  };
  setImmediate(countIterations);
  await Promise.all(['a', 'b', 'c'].map(work));
  isRunning = false;
  assert.match(order.join(''), /^\|?(a\|b\|c\|){2}a\|b\|c$/);
});
