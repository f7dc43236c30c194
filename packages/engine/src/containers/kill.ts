/** `docker kill`. */
import { isNetyardError, NetyardError } from '@netyard/core';
import type { EngineContext } from '../context.ts';
import { publishContainer } from '../events/container-events.ts';
import { hasProcess, isAlive, notRunning, passOverEnded } from './container-index.ts';
import { parseSignal, SIGKILL } from './signals.ts';
import { killAndWait, signalNow } from './stop.ts';

/** SIGKILL returns when the container has ended, other signals when they were sent. */
export async function killContainer(context: EngineContext, ref: string, text: string): Promise<void> {
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
