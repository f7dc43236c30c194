/** A worker thread, started on first use: sends commands, receives answers and unsolicited reports. */
import { Worker } from 'node:worker_threads';
import { NetyardError } from '@netyard/core';

/** From the main thread. `call` is undefined when no answer is expected. */
export interface Command<C> {
  call: number | undefined;
  command: C;
}

/** To the main thread. */
export type Message<R> = { call: number; answer: unknown; error?: string } | { report: R };

export interface ThreadOptions<R> {
  /** The file that runs in it. */
  entry: URL;
  /** Its `workerData`. */
  data: unknown;
  onReport: (report: R) => void;
  /** It ended unexpectedly; the next command starts another one. */
  onFailure: (error: Error) => void;
}

type Waiter = { resolve: (answer: unknown) => void; reject: (error: Error) => void };

export class Thread<C, R> {
  readonly #options: ThreadOptions<R>;
  readonly #waiters = new Map<number, Waiter>();
  #worker: Worker | undefined;
  #calls = 0;

  constructor(options: ThreadOptions<R>) {
    this.#options = options;
  }

  post(command: C): void {
    this.#send({ call: undefined, command });
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

  async close(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    this.#rejectAll(new NetyardError('unavailable', 'the daemon is stopping'));
    await worker?.terminate();
  }

  #send(command: Command<C>): void {
    this.#worker ??= this.#start();
    this.#worker.postMessage(command);
  }

  #start(): Worker {
    // Descriptors are passed between the threads, so none belongs to the thread that opened it.
    const worker = new Worker(this.#options.entry, { trackUnmanagedFds: false, workerData: this.#options.data });
    worker.on('message', (message: Message<R>) => this.#receive(message));
    worker.on('error', (error: Error) => this.#fail(worker, error));
    worker.on('exit', (code) => this.#fail(worker, new Error(`the thread ended with code ${code}`)));
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
    else waiter?.reject(new NetyardError('internal', message.error));
  }

  #fail(worker: Worker, error: Error): void {
    if (this.#worker !== worker) return; // closed, or failed before
    this.#worker = undefined;
    this.#rejectAll(error);
    this.#options.onFailure(error);
  }

  #rejectAll(error: Error): void {
    const waiters = [...this.#waiters.values()];
    this.#waiters.clear();
    for (const { reject } of waiters) reject(error);
  }
}
