/** `docker restart`. */

import { errorCodeOf, type KeyedQueue, messageOf, NetyardError } from '@netyard/core';
import { publishContainer } from '../events/container-events.ts';
import type { EventLog } from '../events/event-log.ts';
import { type ContainerIndex, isAlive } from '../records/container-index.ts';
import type { RestartTimers } from './restart-timers.ts';
import { type StartDependencies, startNow } from './start.ts';
import { type StopDependencies, type StopOptions, settledRecord, stopAndWait } from './stop.ts';

/** What the functions of this file work on. */
export interface RestartDependencies extends StartDependencies, StopDependencies {
  readonly index: ContainerIndex;
  readonly events: EventLog;
  readonly restarts: RestartTimers;
  readonly queue: KeyedQueue;
}

export async function restartContainer(context: RestartDependencies, ref: string, options: StopOptions): Promise<void> {
  const { id } = context.index.get(ref);
  try {
    await context.restarts.restartingByUser(id, async () => {
      if (isAlive(await settledRecord(context, id))) await stopAndWait(context, id, options);
      await context.queue.run(id, () => startUnlessRunning(context, id));
    });
  } catch (error) {
    const code = errorCodeOf(error);
    throw new NetyardError(code, `Cannot restart container ${ref}: ${messageOf(error)}`, { cause: error });
  }
  publishContainer(context.events, context.index.get(id), 'restart');
}

/** Another restart or a start may have started it since the stop: it is restarted then, as in Docker. */
async function startUnlessRunning(context: RestartDependencies, id: string): Promise<void> {
  if (context.index.get(id).state.status !== 'running') await startNow(context, id);
}
