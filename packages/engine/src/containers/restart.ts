/** `docker restart`. */
import { isNetyardError, messageOf, NetyardError } from '@netyard/core';
import type { EngineContext } from '../context.ts';
import { publishContainer } from '../events/container-events.ts';
import { isAlive } from './container-index.ts';
import { startNow } from './start.ts';
import { type StopOptions, stopAndWait } from './stop.ts';

export async function restartContainer(context: EngineContext, ref: string, options: StopOptions): Promise<void> {
  const { id } = context.index.get(ref);
  try {
    await context.restarts.restartingByUser(id, async () => {
      if (isAlive(context.index.get(id))) await stopAndWait(context, id, options);
      await context.queue.run(id, () => startNow(context, id));
    });
  } catch (error) {
    const code = isNetyardError(error) ? error.code : 'internal';
    throw new NetyardError(code, `Cannot restart container ${ref}: ${messageOf(error)}`, { cause: error });
  }
  publishContainer(context.events, context.index.get(id), 'restart');
}
