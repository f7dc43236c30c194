/** Worker threads that fail: their descriptors are closed, and they are started again with growing delays. */
import assert from 'node:assert/strict';
import { closeSync, readlinkSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { Thread } from '../src/logs/thread.ts';
import type { LeakCommand } from './fakes/leaking-thread.ts';

/** The target of a descriptor; '' when it is closed. */
function target(fd: number): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return '';
  }
}

async function within(condition: () => boolean, what: string): Promise<void> {
  const limit = performance.now() + 20_000;
  while (!condition()) {
    assert.ok(performance.now() < limit, what);
    await pause(5);
  }
}

function leakingThread(t: TestContext, onFailure: (error: Error) => Promise<unknown>): Thread<LeakCommand, never> {
  const thread = new Thread<LeakCommand, never>({
    entry: new URL('./fakes/leaking-thread.ts', import.meta.url),
    requests: new SharedArrayBuffer(8),
    onReport: () => {},
    onFailure,
  });
  t.after(() => thread.close());
  return thread;
}

for (const type of ['throw', 'exit'] as const)
  test(`descriptors of a thread that ends by ${type} are closed once the owner has recovered`, async (t) => {
    const recovered = Promise.withResolvers<void>();
    const failures: string[] = [];
    const thread = leakingThread(t, (error) => {
      failures.push(error.message);
      return recovered.promise;
    });
    const [taken = -1, ...left] = await thread.call<number[]>({ type: 'open', count: 50 });
    thread.takeOver(taken);
    thread.post({ type });
    const next = await thread.call<number[]>({ type: 'open', count: 1 }).catch(() => undefined);
    assert.equal(next, undefined, 'the call of a failed thread is rejected');
    assert.ok(
      left.every((fd) => target(fd) === '/dev/zero'),
      'open until then',
    );
    const [later = -1] = await thread.call<number[]>({ type: 'open', count: 1 });
    recovered.resolve();
    await within(() => left.every((fd) => target(fd) !== '/dev/zero'), 'they are closed');
    assert.deepEqual([target(taken), target(later)], ['/dev/zero', '/dev/zero']);
    closeSync(taken);
    assert.deepEqual(failures, [type === 'throw' ? 'an injected fault' : 'the thread ended with code 3']);
    await thread.close();
    assert.notEqual(target(later), '/dev/zero');
  });

test('repeated failures are followed by growing delays, in which commands wait', async (t) => {
  const failedAt: number[] = [];
  const thread = leakingThread(t, async () => failedAt.push(performance.now()));
  const delays: number[] = [];
  for (let round = 0; round < 6; round += 1) {
    thread.post({ type: 'throw' });
    await within(() => failedAt.length === round + 1, 'it fails');
    await thread.call({ type: 'open', count: 1 });
    delays.push(performance.now() - (failedAt.at(-1) ?? 0));
  }
  assert.ok((delays[5] ?? 0) >= 150, `${delays}`);
});
