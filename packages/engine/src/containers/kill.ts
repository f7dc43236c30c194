/** `docker kill`. */

import type { KeyedQueue } from '@netyard/core';
import { isNetyardError, NetyardError } from '@netyard/core';
import { publishContainer } from '../events/container-events.ts';
import type { EventLog } from '../events/event-log.ts';
import type { Runtime } from '../ports.ts';
import type { ContainerIndex } from '../records/container-index.ts';
import { hasProcess, isAlive, notRunning, passOverEnded } from '../records/container-index.ts';
import { parseSignal, SIGKILL } from './signals.ts';
import type { StopDependencies } from './stop.ts';
import { killAndWait, signalNow } from './stop.ts';

/** What the functions of this file work on. */
export interface KillDependencies extends StopDependencies {
  readonly runtime: Runtime;
  readonly index: ContainerIndex;
  readonly events: EventLog;
  readonly queue: KeyedQueue;
}

/** SIGKILL returns when the container has ended, other signals when they were sent. */
export async function killContainer(context: KillDependencies, ref: string, text: string): Promise<void> {
  const signal = parseSignal(text === '' ? 'SIGKILL' : text);
  try {
    const record = context.index.get(ref);
    if (!isAlive(record)) throw notRunning(record);
    if (signal === SIGKILL) return await killAndWait(context, record.id);
    await context.queue.run(record.id, async () => {
      const present = context.index.get(record.id);
      if (endsIt(present.config.stopSignal, signal)) return signalNow(context, record.id, signal, true);
      if (!hasProcess(present)) throw notRunning(present);
      await context.runtime.kill(record.id, signal).catch(passOverEnded);
      publishContainer(context.events, present, 'kill', { signal: String(signal) });
    });
  } catch (error) {
    if (!isNetyardError(error)) throw error;
    throw new NetyardError(error.code, `cannot kill container: ${ref}: ${error.message}`, { cause: error });
  }
}

/** Other signals (a HUP to read settings again) do not mean that the user wants it to be stopped. */
const endsIt = (stopSignal: string, signal: number): boolean => signal === parseSignal(stopSignal || 'SIGTERM');
