/**
 * Threads that stay for later jobs. The FFI library (koffi 3.3) does not free what it allocates for a thread: each thread
 * that ends leaks some 25 KB. A start also takes some 30 ms.
 */
import { type Transferable, Worker } from 'node:worker_threads';
import { NetyardError } from './errors.ts';
import type { FromThread, ToThread } from './thread-jobs.ts';

export interface ThreadPoolOptions {
  /** Its module calls `serveJobs`. */
  entry: URL;
  /** What the thread does, for the error of one that ended: `unpacks layers`. */
  purpose: string;
  /** Further jobs share these threads. */
  mostThreads: number;
}

export interface JobHandlers<From> {
  onMessage(message: From): void;
  /** The thread has ended: there are no further messages. */
  onFailure(error: Error): void;
}

export interface Job<To> {
  /** @param moved memory that the thread owns from now on */
  post(message: To, moved?: Transferable[]): void;
  /** To be called when the job needs the thread no longer. What it still sends is dropped. */
  close(): void;
}

interface PooledThread<From> {
  worker: Worker;
  jobs: Map<number, JobHandlers<From>>;
  /** Ends the thread. */
  timer: NodeJS.Timeout | undefined;
}

/** A thread without jobs collects its garbage: buffers of past jobs may be 50 MB, and only new allocations would free them. */
const collectAfterMs = 2_000;
/** A thread without jobs stays for this long, doubled by each start: so a month of occasional jobs starts few threads. */
const firstRestMs = 5_000;
/** Of some six hours. */
const mostDoublings = 12;

export class ThreadPool<To, From> {
  readonly #options: ThreadPoolOptions;
  readonly #threads = new Set<PooledThread<From>>();
  #starts = 0;
  #jobs = 0;

  constructor(options: ThreadPoolOptions) {
    this.#options = options;
  }

  open(handlers: JobHandlers<From>): Job<To> {
    const thread = this.#choose();
    this.#jobs += 1;
    const job = this.#jobs;
    clearTimeout(thread.timer);
    thread.worker.ref();
    thread.jobs.set(job, handlers);
    const post = (message: ToThread<To>, moved: Transferable[] = []): void => {
      if (thread.jobs.has(job)) thread.worker.postMessage(message, moved);
    };
    return {
      post: (message, moved) => post({ job, message }, moved),
      close: () => {
        post({ job, closed: true });
        if (thread.jobs.delete(job) && thread.jobs.size === 0) this.#rest(thread);
      },
    };
  }

  /** One without jobs; else a new one, or the one with the fewest jobs. */
  #choose(): PooledThread<From> {
    const [best] = [...this.#threads].sort((a, b) => a.jobs.size - b.jobs.size);
    if (best && (best.jobs.size === 0 || this.#threads.size >= this.#options.mostThreads)) return best;
    return this.#start();
  }

  #start(): PooledThread<From> {
    // Node would close, with a warning, what the thread opens by system calls of its own.
    const worker = new Worker(this.#options.entry, { trackUnmanagedFds: false });
    const thread: PooledThread<From> = { worker, jobs: new Map(), timer: undefined };
    this.#starts += 1;
    this.#threads.add(thread);
    worker.on('message', ({ job, message }: FromThread<From>) => thread.jobs.get(job)?.onMessage(message));
    worker.on('error', (error: Error) => this.#fail(thread, error));
    worker.on('exit', () =>
      this.#fail(thread, new NetyardError('internal', `the thread that ${this.#options.purpose} ended`)),
    );
    return thread;
  }

  #rest(thread: PooledThread<From>): void {
    thread.worker.unref();
    const after = (ms: number, act: () => void): void => {
      thread.timer = setTimeout(act, ms).unref();
    };
    const end = (): void => {
      this.#threads.delete(thread);
      thread.worker.postMessage('end' satisfies ToThread<To>);
    };
    after(collectAfterMs, () => {
      thread.worker.postMessage('collect' satisfies ToThread<To>);
      after(firstRestMs * 2 ** Math.min(this.#starts, mostDoublings), end);
    });
  }

  #fail(thread: PooledThread<From>, error: Error): void {
    clearTimeout(thread.timer);
    this.#threads.delete(thread);
    const jobs = [...thread.jobs.values()];
    thread.jobs.clear();
    for (const { onFailure } of jobs) onFailure(error);
  }
}
