/** How the deletion waits for the end of a killed task, on a fake containerd of a few answers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '@netyard/core';
import type { RuntimeEvent } from '@netyard/engine';
import type { ContainerdClient } from '../containerd/client.ts';
import { Status } from '../containerd/gen/task_types_pb.ts';
import { Calls } from './calls.ts';
import { deleteTask } from './delete-task.ts';
import { OomKills } from './oom-kills.ts';
import type { TaskContext } from './task-context.ts';
import { TaskEvents } from './task-events.ts';

/** `kill` is what a kill does to the task; `emit` emits on containerd's event stream. */
function fakeContainerd(kill: (emit: (event: RuntimeEvent) => void) => Status) {
  const asked: string[] = [];
  let status: Status = Status.RUNNING;
  const listeners = new Set<(event: RuntimeEvent) => void>();
  const emit = (event: RuntimeEvent): void => {
    for (const listener of listeners) listener(event);
  };
  const exitedAt = { seconds: 0n, nanos: 0 };
  const client = {
    containers: { get: async () => ({}), delete: async () => ({}) },
    tasks: {
      get: async () => {
        asked.push('get');
        return { process: { status } };
      },
      kill: async () => {
        asked.push('kill');
        setTimeout(() => {
          status = kill(emit);
        }, 40);
      },
      delete: async () => ({ exitStatus: 137, exitedAt }),
    },
  };
  const listen = (listener: (event: RuntimeEvent) => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };
  const events = { listen, exitOf: TaskEvents.prototype.exitOf };
  const calls = new Calls(client as unknown as ContainerdClient, async () => undefined);
  const oomKills = new OomKills({ version: '2', mountPoints: new Map() });
  const context = { calls, events, oomKills, logger: silentLogger } as unknown as TaskContext;
  return { context, asked, listeners };
}

const exit = { exitCode: 137, exitedAt: 0n };

test('the task’s exit event wakes the deletion, those of other tasks do not', async () => {
  const { context, asked, listeners } = fakeContainerd((emit) => {
    setTimeout(() => emit({ type: 'exit', id: 'a', pid: 7, exit }), 40);
    emit({ type: 'exit', id: 'b', pid: 8, exit });
    emit({ type: 'exit', id: 'a', execId: 'e', pid: 9, exit });
    return Status.STOPPED;
  });
  assert.equal((await deleteTask(context, 'a'))?.exitCode, 137);
  assert.deepEqual(asked, ['get', 'kill', 'get']);
  assert.equal(listeners.size, 0);
});

test('a broken event stream wakes it as well when it is restored', async () => {
  const { context, asked } = fakeContainerd((emit) => {
    setTimeout(() => emit({ type: 'resync' }), 0);
    return Status.STOPPED;
  });
  assert.equal((await deleteTask(context, 'a'))?.exitCode, 137);
  assert.deepEqual(asked, ['get', 'kill', 'get']);
});

test('without any event the task is polled, and killed again when the first kill had no effect', async () => {
  let kills = 0;
  const { context, asked } = fakeContainerd(() => {
    kills += 1;
    return kills === 2 ? Status.STOPPED : Status.RUNNING;
  });
  assert.equal((await deleteTask(context, 'a'))?.exitCode, 137);
  assert.deepEqual(asked, ['get', 'kill', 'get', 'kill', 'get']);
});
