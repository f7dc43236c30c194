/**
 * The thread that collects the output of all containers: waits for inotify to report writes to their FIFOs, gives each
 * container that has something a turn, and answers the main thread's commands (capture-protocol.ts).
 */
import { type FSWatcher, watch } from 'node:fs';
import { setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';
import { systemClock } from '@netyard/core';
import type { CaptureCommand, CaptureReport } from './capture-protocol.ts';
import { ContainerCapture } from './container-capture.ts';
import { serveThread } from './thread-port.ts';

/** Between two looks at a FIFO whose end is awaited: Node reports no event when a writer closes it. */
const drainEveryMs = 2;
/** Output that stays open although the container has ended: a process outside of it has it. */
const drainQuietMs = 1000;
/**
 * inotify reports a write when it has returned. One that is larger than the FIFO waits for us without a report, unless
 * others have been reported: a shim's are 32 KiB, half of the FIFO, so this is for shims that are unlike containerd's.
 */
const backstopEveryMs = 1000;
/** Behind the main thread, which answers requests. */
const niceness = 5;

interface Running {
  capture: ContainerCapture;
  watchers: FSWatcher[];
  /** What waits for the log to get somewhere. */
  syncs: { places: readonly number[]; done: () => void }[];
  retry: NodeJS.Timeout | undefined;
}

const running = new Map<number, Running>();
const ready = new Set<Running>();
let isScheduled = false;

const port = serveThread<CaptureCommand, CaptureReport>(parentPort, handle);
setInterval(scheduleAll, backstopEveryMs).unref();

try {
  setPriority(niceness); // of this thread: 0 means the caller in setpriority(2)
} catch {
  // not allowed to: then they are equal
}

function handle(command: CaptureCommand): unknown {
  if (command.type === 'open') return open(command);
  const one = running.get(command.key);
  if (!one) return undefined; // it ended meanwhile
  switch (command.type) {
    case 'pump':
      return schedule(one);
    case 'add-reader':
      return one.capture.addReader(command.reader, command.place, command.offsets);
    case 'drop-reader':
      one.capture.dropReader(command.reader);
      return schedule(one);
    case 'sync':
      return sync(one);
    case 'drain':
      return drain(one);
    case 'finish':
      forget(command.key, one);
      return one.capture.finish();
    case 'abandon':
      forget(command.key, one);
      return one.capture.close();
  }
}

function open({ key, files, state }: Extract<CaptureCommand, { type: 'open' }>): void {
  const capture = new ContainerCapture(files, state, { clock: systemClock, report: port.report });
  const one: Running = { capture, watchers: [], syncs: [], retry: undefined };
  running.set(key, one);
  for (const { source } of files.streams) one.watchers.push(watchSource(source, one));
  schedule(one);
}

function scheduleAll(): void {
  for (const one of running.values()) schedule(one);
}

function watchSource(path: string, one: Running): FSWatcher {
  const watcher = watch(path, () => schedule(one));
  watcher.on('error', (error) =>
    port.report({
      level: 'error',
      message: 'watching container output failed',
      fields: { path, error: error.message },
    }),
  );
  return watcher;
}

function forget(key: number, one: Running): void {
  running.delete(key);
  ready.delete(one);
  clearTimeout(one.retry);
  for (const watcher of one.watchers) watcher.close();
  for (const { done } of one.syncs.splice(0)) done();
}

function schedule(one: Running): void {
  ready.add(one);
  if (isScheduled) return;
  isScheduled = true;
  setImmediate(giveTurns);
}

/** One turn for each that has something to do; messages come in between. */
function giveTurns(): void {
  isScheduled = false;
  for (const one of [...ready]) {
    const hasMore = one.capture.pump();
    one.syncs = one.syncs.filter(({ places, done }) => {
      const isDone = !hasMore || one.capture.hasLogged(places);
      if (isDone) done();
      return !isDone;
    });
    if (!hasMore) ready.delete(one);
    if (one.capture.retryAt !== undefined) retryLater(one, one.capture.retryAt);
  }
  if (ready.size > 0) for (const one of ready) schedule(one);
}

function retryLater(one: Running, at: number): void {
  one.retry ??= setTimeout(
    () => {
      one.retry = undefined;
      schedule(one);
    },
    Math.max(1, at - performance.now() + 1),
  );
}

function sync(one: Running): Promise<void> {
  return new Promise((resolve) => {
    one.syncs.push({ places: one.capture.take(), done: resolve });
    schedule(one);
  });
}

async function drain({ capture }: Running): Promise<void> {
  capture.beginDrain();
  for (let quietSince = performance.now(); performance.now() - quietSince < drainQuietMs; ) {
    if (capture.pump()) {
      quietSince = performance.now();
      await new Promise((resolve) => setImmediate(resolve));
    } else if (capture.hasWriter) await new Promise((resolve) => setTimeout(resolve, drainEveryMs));
    else return;
  }
}
