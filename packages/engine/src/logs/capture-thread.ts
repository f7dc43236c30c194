/**
 * The thread that collects the output of all containers: waits for inotify to report writes to their FIFOs, gives each
 * container with output a time slice, and executes the main thread's commands (capture-protocol.ts).
 */
import { type FSWatcher, watch } from 'node:fs';
import { availableParallelism, setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { messageOf, systemClock } from '@netyard/core';
import type { CaptureCommand, CaptureReport } from './capture-protocol.ts';
import { ContainerCapture, longSlice, shortSlice } from './container-capture.ts';
import { LogCompressor } from './log-compressor.ts';
import { Allowance, isBesideRequests, Pacer, shareFor } from './pace.ts';
import { RequestActivity } from './request-activity.ts';
import type { ThreadData } from './thread.ts';
import { closeOnFailure } from './thread-files.ts';
import { serveThread } from './thread-port.ts';

/** Polling interval for the end of a FIFO: Node emits no event when a writer closes it. */
const drainEveryMs = 2;
/** Timeout for output that stays open after the container has ended: a process outside of it holds the FIFO. */
const drainQuietMs = 1000;
/**
 * inotify reports a write after it has returned. A write larger than the FIFO blocks without a report, unless earlier
 * ones were reported: a shim writes 32 KiB, half of the FIFO, so this is for shims unlike containerd's.
 */
const backstopEveryMs = 1000;
/** Output that pauses for this long leaves no file open but its FIFOs. */
const restAfterMs = 3000;
/** Lower priority than the main thread, which answers requests. */
const niceness = 5;

interface Running {
  capture: ContainerCapture;
  watchers: FSWatcher[];
  /** Requests that wait until the log reaches a position. */
  syncs: { positions: readonly number[]; done: () => void }[];
  retry: NodeJS.Timeout | undefined;
  /** Of the last output. */
  outputAt: number;
  allowance: Allowance;
  /** It writes faster than its allowance. */
  isFast: boolean;
}

const running = new Map<number, Running>();
/** In the order of their time slices. */
const ready = new Set<Running>();
let isScheduled = false;
const pacer = new Pacer();
let isResuming = false;
const requests = new RequestActivity((workerData as ThreadData).requests);
const cpus = availableParallelism();

const port = serveThread<CaptureCommand, CaptureReport>(parentPort, handle);
const compressor = new LogCompressor((path, error) => {
  const fields = { path, error: messageOf(error) };
  port.report({ level: 'error', message: 'compressing a container log failed', fields });
});
setInterval(checkAll, backstopEveryMs).unref();

try {
  setPriority(niceness); // of this thread: 0 means the caller in setpriority(2)
} catch {
  // not permitted: all threads have equal priority
}

function handle(command: CaptureCommand): unknown {
  if (command.type === 'open') return open(command);
  const one = running.get(command.key);
  if (!one) return undefined; // it ended meanwhile
  switch (command.type) {
    case 'pump':
      return schedule(one);
    case 'add-reader':
      return one.capture.addReader(command.reader, command.position, command.offsets);
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
  const parts = { clock: systemClock, compressor, report: port.report };
  const capture = closeOnFailure(() => new ContainerCapture(files, state, parts));
  const now = performance.now();
  const allowance = new Allowance(now);
  const one: Running = { capture, watchers: [], syncs: [], retry: undefined, outputAt: now, allowance, isFast: false };
  running.set(key, one);
  for (const { source } of files.streams) one.watchers.push(watchSource(source, one));
  schedule(one);
}

function checkAll(): void {
  const quietSince = performance.now() - restAfterMs;
  for (const one of running.values()) {
    if (one.outputAt < quietSince) one.capture.rest();
    schedule(one);
  }
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
  scheduleTimeSlice();
}

function scheduleTimeSlice(): void {
  if (isScheduled) return;
  isScheduled = true;
  setImmediate(runTimeSlice);
}

/** Runs one time slice of the next capture with work to do; messages are handled in between. */
function runTimeSlice(): void {
  isScheduled = false;
  const wait = pacer.waitMs(performance.now());
  const one = nextReady(wait > 0);
  if (!one) {
    if (ready.size > 0) resumeLater(wait);
    return;
  }
  ready.delete(one);
  const hasMore = pump(one);
  one.syncs = one.syncs.filter(({ positions, done }) => {
    const isDone = !hasMore || one.capture.hasLogged(positions);
    if (isDone) done();
    return !isDone;
  });
  if (hasMore) ready.add(one);
  if (one.capture.retryAt !== undefined) retryLater(one, one.capture.retryAt);
  if (ready.size > 0) scheduleTimeSlice();
}

function nextReady(isPausing: boolean): Running | undefined {
  for (const one of ready) if (!isPausing || !isPaced(one)) return one;
  return undefined;
}

/** Only output that no attached client or log reader waits for is paced. */
const isPaced = ({ isFast, syncs, capture }: Running): boolean => isFast && syncs.length === 0 && !capture.isAttached;

function pump(one: Running): boolean {
  const sinceRequestMs = requests.sinceMs();
  const began = performance.now();
  const hasMore = one.capture.pump(isPaced(one) && isBesideRequests(sinceRequestMs) ? shortSlice : longSlice);
  const now = performance.now();
  if (hasMore) one.outputAt = now;
  one.isFast = one.allowance.spend(now - began, now, ready.size + 1);
  if (isPaced(one)) pacer.spend(now - began, now, shareFor(cpus, sinceRequestMs));
  return hasMore;
}

function resumeLater(wait: number): void {
  if (isResuming) return;
  isResuming = true;
  setTimeout(() => {
    isResuming = false;
    scheduleTimeSlice();
  }, wait);
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
    one.syncs.push({ positions: one.capture.take(), done: resolve });
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
