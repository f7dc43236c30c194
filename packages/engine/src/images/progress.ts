/** Progress lines of background work, as an async iterable. */
import type { Progress } from '../contract.ts';

/** The promise, if any, resolves when the reader has caught up; a reporter of many lines waits for it. */
export type Report = (line: Progress) => Promise<void> | undefined;

/** Lines that may be unread before reporters should wait. */
const mostUnread = 256;

/**
 * Runs `work` when the first line is requested. A reader that stops early, or `outer`, aborts it; either way the
 * iteration ends only when the work has. Byte counts that were not read in time are replaced by newer ones.
 */
export async function* progressOf(
  work: (report: Report, signal: AbortSignal) => Promise<void>,
  outer?: AbortSignal,
): AsyncGenerator<Progress> {
  const stop = new AbortController();
  const signal = outer ? AbortSignal.any([outer, stop.signal]) : stop.signal;
  const lines: Progress[] = [];
  let wake: (() => void) | undefined;
  let ended = false;
  let caughtUp = Promise.withResolvers<void>();
  const report: Report = (line) => {
    const last = lines.findIndex((other) => isCount(line) && other.id === line.id && other.status === line.status);
    if (last >= 0) lines[last] = line;
    else lines.push(line);
    wake?.();
    return lines.length < mostUnread ? undefined : caughtUp.promise;
  };
  const running = work(report, signal).finally(() => {
    ended = true;
    wake?.();
  });
  running.catch(() => undefined); // thrown below, after the lines before it are delivered
  try {
    for (;;) {
      const unread = lines.splice(0);
      caughtUp.resolve();
      caughtUp = Promise.withResolvers();
      yield* unread;
      if (lines.length > 0) continue;
      if (ended) break;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    await running;
  } finally {
    stop.abort();
    caughtUp.resolve();
    await running.catch(() => undefined);
  }
}

const isCount = (line: Progress): boolean => line.id !== undefined && line.current !== undefined;

/** Passes the stream through and counts its bytes; reported every `step` bytes and at the end. */
export async function* counted(
  stream: AsyncIterable<Uint8Array>,
  reportStep: (bytes: number) => unknown,
  step = 512 * 1024,
): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  let next = step;
  for await (const chunk of stream) {
    bytes += chunk.length;
    if (bytes >= next) {
      reportStep(bytes);
      next = bytes + step;
    }
    yield chunk;
  }
  reportStep(bytes);
}
