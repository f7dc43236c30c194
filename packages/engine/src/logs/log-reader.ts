/** Logs for clients: read in another thread (log-thread.ts), at the pace of the consumer. */
import { type Logger, NetyardError } from '@netyard/core';
import type { OutputChunk } from '../contract.ts';
import type { CaptureState } from './capture-state.ts';
import { chunkSize, type LogCommand, type LogReadOptions, type LogReport } from './log-protocol.ts';
import type { RequestActivity } from './request-activity.ts';
import { Thread, type ThreadError } from './thread.ts';

interface Reader {
  reports: LogReport[];
  wake: () => void;
}

export class LogReader {
  readonly #thread: Thread<LogCommand, LogReport>;
  readonly #readers = new Map<number, Reader>();
  #next = 0;

  constructor(logger: Logger, requests: RequestActivity) {
    this.#thread = new Thread<LogCommand, LogReport>({
      entry: new URL('./log-thread.ts', import.meta.url),
      requests: requests.buffer,
      onReport: (report) => this.#receive(report),
      onFailure: async (error) => {
        logger.error('the thread that reads logs failed', { error: error.message });
        this.#endAll({ code: 'internal', message: error.message });
      },
    });
  }

  /**
   * Entries in the order in which they were written; see LogReadOptions. Resolves when the log is open: from then on
   * rotation does not lose data. Ends on abort. A chunk is valid until the next one is requested.
   */
  async open(
    options: LogReadOptions,
    live: CaptureState | undefined,
    signal: AbortSignal,
  ): Promise<AsyncIterable<OutputChunk>> {
    this.#next += 1;
    const id = this.#next;
    const reader: Reader = { reports: [], wake: () => undefined };
    this.#readers.set(id, reader);
    const stop = (): void => this.#stop(id);
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    try {
      await this.#thread.call({ type: 'read', reader: id, options, live: live?.buffer });
    } catch (error) {
      this.#stop(id);
      throw error;
    }
    return this.#chunks(id, reader, signal);
  }

  async close(): Promise<void> {
    this.#endAll(undefined);
    await this.#thread.close();
  }

  async *#chunks(id: number, reader: Reader, signal: AbortSignal): AsyncGenerator<OutputChunk> {
    try {
      while (!signal.aborted) {
        const report = await nextReport(reader, signal);
        const failure = report?.end?.error;
        if (failure) throw new NetyardError(failure.code, failure.message);
        if (!report?.chunk) return;
        yield report.chunk;
        this.#requestNext(id, report.chunk.data);
      }
    } finally {
      this.#stop(id);
    }
  }

  /**
   * Returns the memory of the consumed chunk to the thread. If it were left to the garbage collector, the output of
   * fast writers would cause a full collection every second, which stops this thread for 10 ms.
   */
  #requestNext(reader: number, { buffer }: Uint8Array): void {
    const memory = buffer instanceof ArrayBuffer && buffer.byteLength === chunkSize ? buffer : undefined;
    this.#thread.post({ type: 'next', reader, memory }, memory ? [memory] : []);
  }

  #stop(id: number): void {
    const reader = this.#readers.get(id);
    if (!this.#readers.delete(id)) return;
    reader?.wake();
    this.#thread.post({ type: 'stop', reader: id });
  }

  #receive(report: LogReport): void {
    const reader = this.#readers.get(report.reader);
    reader?.reports.push(report);
    reader?.wake();
  }

  #endAll(error: ThreadError | undefined): void {
    for (const reader of this.#readers.keys()) this.#receive({ reader, end: { error } });
  }
}

/** Undefined on abort. */
async function nextReport(reader: Reader, signal: AbortSignal): Promise<LogReport | undefined> {
  while (reader.reports.length === 0 && !signal.aborted)
    await new Promise<void>((resolve) => {
      reader.wake = resolve;
    });
  return signal.aborted ? undefined : reader.reports.shift();
}
