/** `docker logs`. */

import { type Clock, NetyardError } from '@netyard/core';
import type { LogOptions, OutputChunk } from '../contract.ts';
import type { LogReader } from '../logs/log-reader.ts';
import type { Outputs } from '../logs/outputs.ts';
import { logPath } from '../paths.ts';
import type { ContainerIndex } from '../records/container-index.ts';
import type { EngineSettings } from '../settings.ts';

/** What the functions of this file work on. */
export interface LogsDependencies {
  readonly settings: EngineSettings;
  readonly clock: Clock;
  readonly index: ContainerIndex;
  readonly outputs: Outputs;
  readonly logs: LogReader;
}

export async function containerLogs(
  context: LogsDependencies,
  ref: string,
  options: LogOptions,
): Promise<{ tty: boolean; output: AsyncIterable<Uint8Array> }> {
  if (!options.stdout && !options.stderr) throw new NetyardError('invalid', 'You must choose at least one stream');
  const record = context.index.get(ref);
  const { config, state, id } = record;
  if (state.status === 'removing' || state.status === 'dead')
    throw new NetyardError('conflict', 'can not get logs from container which is dead or marked for removal');
  if (config.logDriver === 'none')
    throw new NetyardError('not-implemented', 'configured logging driver does not support reading');
  await context.outputs.capture(id)?.sync(); // output written so far belongs to the answer
  const { signal: gone, ...requested } = options;
  const signal = endingAt(options, context.clock.now());
  const capture = context.outputs.capture(id);
  const read = { ...requested, path: logPath(context.settings, id), framed: !config.tty, end: undefined };
  const chunks = await context.logs.open(read, capture?.state, signal);
  return { tty: config.tty, output: dataOf(chunks, options.follow ? capture?.follow(gone) : undefined) };
}

async function* dataOf(chunks: AsyncIterable<OutputChunk>, unfollow: (() => void) | undefined) {
  try {
    for await (const { data } of chunks) yield data;
  } finally {
    unfollow?.();
  }
}

/** Following ends at `until`, even when no more output arrives. */
function endingAt({ follow, until, signal }: LogOptions, now: bigint): AbortSignal {
  if (!follow || until === undefined) return signal;
  const milliseconds = until <= now ? 0 : Math.min(Number((until - now) / 1_000_000n) + 1, 2 ** 31 - 1);
  return AbortSignal.any([signal, AbortSignal.timeout(milliseconds)]);
}
