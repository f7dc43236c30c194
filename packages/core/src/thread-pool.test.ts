/** This file is also the thread of its tests. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isMainThread, threadId } from 'node:worker_threads';
import { serveJobs } from './thread-jobs.ts';
import { ThreadPool } from './thread-pool.ts';

type Request = 'answer' | 'keep' | 'fail';

if (!isMainThread) {
  serveJobs<Request, number>((send) => (request) => {
    if (request === 'answer') send(threadId);
    if (request === 'fail') throw new Error('a defect');
  });
} else {
  const openPool = (mostThreads: number): ThreadPool<Request, number> =>
    new ThreadPool({ entry: new URL(import.meta.url), purpose: 'tests', mostThreads });

  const ask = (pool: ThreadPool<Request, number>, request: Request = 'answer'): Promise<number> => {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const job = pool.open({ onMessage: resolve, onFailure: reject });
    job.post(request);
    return promise.finally(() => job.close());
  };

  test('a thread serves one job after the other', async () => {
    const pool = openPool(4);
    const first = await ask(pool);
    for (let times = 0; times < 20; times += 1) assert.equal(await ask(pool), first);
  });

  test('concurrent jobs have threads of their own, up to a limit, and then share them', async () => {
    const pool = openPool(2);
    const kept = [1, 2, 3].map(() => pool.open({ onMessage: () => undefined, onFailure: () => undefined }));
    for (const job of kept) job.post('keep');
    const used = await Promise.all([ask(pool), ask(pool), ask(pool)]);
    assert.equal(new Set(used).size, 2);
    for (const job of kept) job.close();
  });

  test('a defect fails the jobs of its thread, and later ones get another thread', async () => {
    const pool = openPool(1);
    const before = await ask(pool);
    const failed = await Promise.allSettled([ask(pool, 'keep'), ask(pool, 'fail')]);
    assert.deepEqual(
      failed.map((result) => result.status === 'rejected' && result.reason.message),
      ['a defect', 'a defect'],
    );
    assert.notEqual(await ask(pool), before);
  });
}
