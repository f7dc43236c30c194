/** `docker logs`. */
import { NetyardError } from '@netyard/core';
import type { EngineContext } from '../context.ts';
import type { LogEntry, LogOptions } from '../contract.ts';
import { readLog } from '../logs/read-log.ts';
import { logPath } from '../paths.ts';

export async function containerLogs(
  context: EngineContext,
  ref: string,
  options: LogOptions,
): Promise<{ tty: boolean; entries: AsyncIterable<LogEntry> }> {
  if (!options.stdout && !options.stderr) throw new NetyardError('invalid', 'You must choose at least one stream');
  const record = context.index.get(ref);
  const { config, state, id } = record;
  if (state.status === 'removing' || state.status === 'dead')
    throw new NetyardError('conflict', 'can not get logs from container which is dead or marked for removal');
  if (config.logDriver === 'none')
    throw new NetyardError('not-implemented', 'configured logging driver does not support reading');
  const capture = context.outputs.capture(id);
  capture?.pump(); // what the container has said by now belongs to the answer
  const signal = endingAt(options, context.clock.now());
  const entries = readLog(logPath(context.settings, id), { ...options, signal }, capture?.log);
  return { tty: config.tty, entries };
}

/** Following ends when `until` has come, also when nothing more is said. */
function endingAt({ follow, until, signal }: LogOptions, now: bigint): AbortSignal {
  if (!follow || until === undefined) return signal;
  const milliseconds = until <= now ? 0 : Math.min(Number((until - now) / 1_000_000n) + 1, 2 ** 31 - 1);
  return AbortSignal.any([signal, AbortSignal.timeout(milliseconds)]);
}
