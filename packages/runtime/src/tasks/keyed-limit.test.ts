/** Work per key is limited, also after failures, and keys do not block each other. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { KeyedLimit } from './keyed-limit.ts';

test('the limit per key is never exceeded, the order is kept, and failures free their slot', async () => {
  const limit = new KeyedLimit(2);
  let running = 0;
  let most = 0;
  const order: number[] = [];
  const work = Array.from({ length: 20 }, (_, index) =>
    limit.run('a', async () => {
      order.push(index);
      running += 1;
      most = Math.max(most, running);
      await turn();
      running -= 1;
      if (index % 3 === 0) throw new Error('failed');
    }),
  );
  assert.equal(await limit.run('b', async () => 'free'), 'free');
  const results = await Promise.allSettled(work);
  assert.equal(most, 2);
  assert.deepEqual(
    order,
    [...order].sort((one, other) => one - other),
  );
  assert.equal(results.filter(({ status }) => status === 'rejected').length, 7);
});
