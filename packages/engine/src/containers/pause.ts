/** `docker pause` and `docker unpause`: the freezer. */

import { errorCodeOf, type KeyedQueue, messageOf, NetyardError } from '@netyard/core';
import { publishContainer } from '../events/container-events.ts';
import type { EventLog } from '../events/event-log.ts';
import type { Runtime } from '../ports.ts';
import { type ContainerIndex, hasEnded, isRestarting, notRunning } from '../records/container-index.ts';

/** What the functions of this file work on. */
export interface PauseDependencies {
  readonly runtime: Runtime;
  readonly index: ContainerIndex;
  readonly events: EventLog;
  readonly queue: KeyedQueue;
}

export async function pauseContainer(
  context: PauseDependencies,
  ref: string,
  options: { byCommit: boolean } = { byCommit: false },
): Promise<void> {
  const { id } = context.index.get(ref);
  await context.queue.run(id, async () => {
    const record = context.index.get(id);
    const { status } = record.state;
    if (status === 'paused') throw new NetyardError('conflict', `container ${id} is already paused`);
    if (status === 'restarting') throw isRestarting(record);
    if (status !== 'running') throw notRunning(record);
    await context.runtime.pause(id).catch(explain(`cannot pause container ${id}`, notRunning(record)));
    publishContainer(
      context.events,
      context.index.setState(id, { status: 'paused', pausedByCommit: options.byCommit }),
      'pause',
    );
  });
}

export async function unpauseContainer(context: PauseDependencies, ref: string): Promise<void> {
  const { id } = context.index.get(ref);
  await context.queue.run(id, async () => {
    const notPaused = new NetyardError('failed', `Container ${id} is not paused`);
    if (context.index.get(id).state.status !== 'paused') throw notPaused;
    await context.runtime.resume(id).catch(explain(`Cannot unpause container ${id}`, notPaused));
    publishContainer(
      context.events,
      context.index.setState(id, { status: 'running', pausedByCommit: false }),
      'unpause',
    );
  });
}

/** `ended`: the error to report when the process ended meanwhile. */
function explain(what: string, ended: NetyardError): (cause: unknown) => never {
  return (cause) => {
    if (hasEnded(cause)) throw ended;
    throw new NetyardError(errorCodeOf(cause), `${what}: ${messageOf(cause)}`, { cause });
  };
}
