/** `docker attach`, and the attach that `docker run` sends before the start: output and stdin of one run. */
import { NetyardError } from '@netyard/core';
import type { Attachment, AttachOptions, OutputChunk } from '../contract.ts';
import { publishContainer } from '../events/container-events.ts';
import type { EventLog } from '../events/event-log.ts';
import type { Capture, LiveReader } from '../logs/capture.ts';
import type { OutputStream } from '../logs/capture-state.ts';
import { readLive } from '../logs/live-output.ts';
import type { LogReader } from '../logs/log-reader.ts';
import type { Outputs } from '../logs/outputs.ts';
import type { ContainerRecord } from '../model.ts';
import { logPath } from '../paths.ts';
import { DetachWatch, parseDetachKeys } from '../processes/detach-keys.ts';
import { watchedStdin } from '../processes/watched-stdin.ts';
import type { ContainerIndex } from '../records/container-index.ts';
import type { EngineSettings } from '../settings.ts';
import type { StdinPipes } from './stdin.ts';

/** What the functions of this file work on. */
export interface AttachDependencies {
  readonly settings: EngineSettings;
  readonly index: ContainerIndex;
  readonly events: EventLog;
  readonly outputs: Outputs;
  readonly logs: LogReader;
  readonly stdin: StdinPipes;
}

export async function attachContainer(
  context: AttachDependencies,
  ref: string,
  options: AttachOptions,
): Promise<Attachment> {
  const keys = parseDetachKeys(options.detachKeys);
  const record = context.index.get(ref);
  if (record.state.status === 'paused')
    throw new NetyardError('conflict', `container ${ref} is paused, unpause the container before attach`);
  if (record.state.status === 'restarting')
    throw new NetyardError('conflict', `container ${ref} is restarting, wait until the container is running`);
  const leaving = new AbortController();
  const signal = AbortSignal.any([options.signal, leaving.signal]);
  const output = await attachOutput(context, record, options, signal);
  publishContainer(context.events, record, 'attach');
  const { promise: detached, resolve: detach } = Promise.withResolvers<void>();
  const leave = (): void => {
    publishContainer(context.events, record, 'detach');
    leaving.abort();
    detach();
  };
  const wantsStdin = options.stdin && options.stream && record.config.openStdin;
  const writer = wantsStdin ? context.stdin.writer(record) : undefined;
  const stdin = writer && record.config.tty ? watchedStdin(writer, new DetachWatch(keys), leave) : writer;
  return { tty: record.config.tty, output, stdin, detached };
}

/**
 * Resolves when the reader is positioned, so that it misses nothing written from then on: the thread that collects the
 * output handles commands and output in no particular order.
 */
async function attachOutput(
  context: AttachDependencies,
  record: ContainerRecord,
  options: AttachOptions,
  signal: AbortSignal,
): Promise<AsyncIterable<OutputChunk>> {
  const requested = new Set<OutputStream>();
  if (options.stdout) requested.add('stdout');
  if (options.stderr) requested.add('stderr');
  const capture = context.outputs.capture(record.id);
  const isRunning = capture !== undefined && !capture.ended;
  const replays = options.logs && record.config.logDriver !== 'none';
  const live = options.stream
    ? nextRun(context, record.id, capture, replays ? 'logged' : 'now', signal)
    : Promise.resolve(undefined);
  if (isRunning) await (await live)?.reader.opened;
  return (async function* () {
    if (replays) yield* replay(context, record.id, options, capture, signal, isRunning ? await live : undefined);
    const run = await live;
    if (run) yield* readLive(run.capture, run.reader, requested, signal);
  })();
}

/** The log, up to the position where the live output continues. */
async function* replay(
  context: AttachDependencies,
  id: string,
  { stdout, stderr }: AttachOptions,
  capture: Capture | undefined,
  signal: AbortSignal,
  run: Run | undefined,
): AsyncGenerator<OutputChunk> {
  if (!run) await capture?.sync();
  const end = (await run?.reader.opened)?.log;
  const all = { since: undefined, until: undefined, tail: undefined, timestamps: false, details: false };
  const path = logPath(context.settings, id);
  const requested = { ...all, path, stdout, stderr, framed: false, follow: false, end };
  yield* await context.logs.open(requested, capture?.state, signal);
}

interface Run {
  capture: Capture;
  reader: LiveReader;
}

/** The current run, otherwise the next one; undefined when there will be none. */
function nextRun(
  context: AttachDependencies,
  id: string,
  present: Capture | undefined,
  from: 'logged' | 'now',
  signal: AbortSignal,
): Promise<Run | undefined> {
  const open = (capture: Capture, position: 'start' | 'logged' | 'now'): Run => {
    const reader = capture.openReader(position);
    signal.addEventListener('abort', () => reader.close(), { once: true });
    return { capture, reader };
  };
  if (signal.aborted) return Promise.resolve(undefined);
  if (present && !present.ended) return Promise.resolve(open(present, from));
  return new Promise((resolve) => {
    const stop = context.outputs.onBegin(id, (capture) => resolve(capture && open(capture, 'start')));
    signal.addEventListener(
      'abort',
      () => {
        stop();
        resolve(undefined);
      },
      { once: true },
    );
  });
}
