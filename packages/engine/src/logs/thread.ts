/**
 * A worker thread, started on first use: sends commands, receives answers and unsolicited reports. After a failure its
 * descriptors are closed, and the next one is started with back-off.
 */
import { closeSync } from 'node:fs';
import { type Transferable, Worker } from 'node:worker_threads';
import { NetyardError } from '@netyard/core';
import { DescriptorTable } from './descriptor-table.ts';

/** From the main thread. `call` is undefined when no answer is expected. */
export interface Command<C> {
  call: number | undefined;
  command: C;
}

/** An error of the thread: errors themselves lose their class on the way. */
export interface ThreadError {
  code: 'failed' | 'internal';
  message: string;
}

/** To the main thread. */
export type Message<R> = { call: number; answer: unknown; error?: ThreadError } | { report: R };

/** The `workerData` of every thread. */
export interface ThreadData {
  requests: SharedArrayBuffer;
  descriptors: SharedArrayBuffer;
}

export interface ThreadOptions<R> {
  /** The file that runs in it. */
  entry: URL;
  requests: SharedArrayBuffer;
  onReport: (report: R) => void;
  /**
   * It ended unexpectedly; commands from now on go to the next one. What the thread had open is closed when the promise
   * is settled: a writer to a FIFO must find a reader at any time.
   */
  onFailure: (error: Error) => Promise<unknown>;
}

type Waiter = { resolve: (answer: unknown) => void; reject: (error: Error) => void };

/** The first thread after a quiet time starts at once. */
const backOff = { firstMs: 10, longestMs: 5000, forgottenAfterMs: 10_000 };

export class Thread<C, R> {
  readonly #options: ThreadOptions<R>;
  readonly #waiters = new Map<number, Waiter>();
  readonly #descriptors = new DescriptorTable();
  #worker: Worker | undefined;
  #calls = 0;
  #failedAt = Number.NEGATIVE_INFINITY;
  #delayMs = 0;
  /** Commands that wait for the next thread. */
  #held: Command<C>[] | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ThreadOptions<R>) {
    this.#options = options;
  }

  /** @param moved memory that the thread owns from now on */
  post(command: C, moved: Transferable[] = []): void {
    this.#send({ call: undefined, command }, moved);
  }

  /** Resolves with the answer; rejects when the command failed or the thread ended. */
  call<T>(command: C): Promise<T> {
    this.#calls += 1;
    const call = this.#calls;
    return new Promise<T>((resolve, reject) => {
      this.#waiters.set(call, { resolve: (answer) => resolve(answer as T), reject });
      this.#send({ call, command });
    });
  }

  /** The receiver of an answer closes this descriptor from now on. */
  takeOver(fd: number): void {
    this.#descriptors.delete(fd);
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#held = undefined;
    const worker = this.#worker;
    this.#worker = undefined;
    this.#rejectAll(new NetyardError('unavailable', 'the daemon is stopping'));
    await worker?.terminate();
    closeAll(this.#descriptors.takeAll());
  }

  #send(command: Command<C>, moved: Transferable[] = []): void {
    if (this.#held) {
      this.#held.push(command);
      return;
    }
    this.#worker ??= this.#start();
    this.#worker.postMessage(command, moved);
  }

  #start(): Worker {
    const workerData: ThreadData = { requests: this.#options.requests, descriptors: this.#descriptors.buffer };
    // Descriptors are passed between the threads: Node must not close what the thread has opened.
    const worker = new Worker(this.#options.entry, { trackUnmanagedFds: false, workerData });
    let failure: Error | undefined;
    worker.on('message', (message: Message<R>) => this.#receive(message));
    worker.on('error', (error: Error) => {
      failure = error;
    });
    // Answers that arrive together with the end are handled first: they may contain descriptors.
    worker.on('exit', (code) =>
      setImmediate(() => this.#fail(worker, failure ?? new Error(`the thread ended with code ${code}`))),
    );
    return worker;
  }

  #receive(message: Message<R>): void {
    if ('report' in message) {
      this.#options.onReport(message.report);
      return;
    }
    const waiter = this.#waiters.get(message.call);
    this.#waiters.delete(message.call);
    if (message.error === undefined) waiter?.resolve(message.answer);
    else waiter?.reject(new NetyardError(message.error.code, message.error.message));
  }

  #fail(worker: Worker, error: Error): void {
    if (this.#worker !== worker) return; // closed
    this.#worker = undefined;
    this.#hold();
    const left = this.#descriptors.takeAll();
    this.#rejectAll(error);
    void this.#options.onFailure(error).finally(() => closeAll(left));
  }

  #hold(): void {
    const now = performance.now();
    const isRepeated = now - this.#failedAt < backOff.forgottenAfterMs;
    this.#delayMs = isRepeated ? Math.min(backOff.longestMs, Math.max(backOff.firstMs, this.#delayMs * 2)) : 0;
    this.#failedAt = now;
    this.#held = [];
    this.#timer = setTimeout(() => this.#release(), this.#delayMs);
  }

  #release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const command of held) this.#send(command);
  }

  #rejectAll(error: Error): void {
    const waiters = [...this.#waiters.values()];
    this.#waiters.clear();
    for (const { reject } of waiters) reject(error);
  }
}

function closeAll(descriptors: readonly number[]): void {
  for (const fd of descriptors) closeSync(fd);
}
