/** `docker kill`. */

import { isNetyardError, type KeyedQueue, NetyardError } from '@netyard/core';
import { publishContainer } from '../events/container-events.ts';
import type { EventLog } from '../events/event-log.ts';
import type { ContainerRecord } from '../model.ts';
import type { Runtime } from '../ports.ts';
import { lastSignal, parseSignal, SIGKILL } from '../processes/signals.ts';
import { type ContainerIndex, hasProcess, isAlive, notRunning, passOverEnded } from '../records/container-index.ts';
import { killAndWait, type StopDependencies, settledRecord, signalNow } from './stop.ts';

/** What the functions of this file work on. */
export interface KillDependencies extends StopDependencies {
  readonly runtime: Runtime;
  readonly index: ContainerIndex;
  readonly events: EventLog;
  readonly queue: KeyedQueue;
}

/** With SIGKILL, resolves when the container has ended; with other signals, when the signal is sent. */
export async function killContainer(context: KillDependencies, ref: string, text: string): Promise<void> {
  try {
    const signal = parseKillSignal(text);
    const record = await settledRecord(context, ref);
    if (!isAlive(record)) throw notRunning(record);
    if (signal === SIGKILL) return await killAndWait(context, record.id);
    await context.queue.run(record.id, async () => {
      const present = context.index.get(record.id);
      if (endsIt(present.config.stopSignal, signal)) return signalNow(context, record.id, signal, true);
      if (!hasProcess(present)) throw notRunning(present);
      if (stopsIt(present, signal)) context.index.setState(present.id, { stoppedByUser: true });
      await context.runtime.kill(record.id, signal).catch(passOverEnded);
      publishContainer(context.events, present, 'kill', { signal: String(signal) });
    });
  } catch (error) {
    if (!isNetyardError(error)) throw error;
    throw new NetyardError(error.code, `cannot kill container: ${ref}: ${error.message}`, { cause: error });
  }
}

/** Docker's text for a number that is no signal; for 0 it has that of an unknown name. */
function parseKillSignal(text: string): number {
  const isUnsupported = /^-?\d+$/.test(text) && Number(text) !== 0 && (Number(text) < 0 || Number(text) > lastSignal);
  if (isUnsupported) throw new NetyardError('invalid', `the linux daemon does not support signal ${Number(text)}`);
  return parseSignal(text === '' ? 'SIGKILL' : text);
}

/**
 * With the policy `unless-stopped`, a user who sends one of these stops the container, whatever its own stop signal is:
 * Watchtower sends TERM to images that stop at QUIT. Docker counts every signal, so that HUP disables the policy.
 */
const stopSignals = ['SIGTERM', 'SIGINT', 'SIGQUIT'].map(parseSignal);

const stopsIt = ({ config }: ContainerRecord, signal: number): boolean =>
  config.restartPolicy.name === 'unless-stopped' && stopSignals.includes(signal);

/** Other signals (such as HUP to reload a configuration) do not mark the container as stopped by the user. */
const endsIt = (stopSignal: string, signal: number): boolean => signal === parseSignal(stopSignal || 'SIGTERM');
