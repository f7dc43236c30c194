/**
 * Detects changes in many network namespaces: by notification sockets in a limited number of them, by samples in the
 * others. Each rtnetlink message of the machine is offered to each subscribed socket, whatever its namespace, so a socket in
 * each of a thousand namespaces would slow down every change of the network: see decision 0020.
 */
import { extname } from 'node:path';
import { type Job, type Logger, messageOf, ThreadPool } from '@netyard/core';
import type { NamespaceWatch } from '../../contract.ts';
import { checkMainThread } from '../../system/readable-signal.ts';
import type { SampleAnswer, SampleRequest } from './contract.ts';
import { NotificationSockets } from './notification-sockets.ts';
import { WatchSchedule } from './schedule.ts';

export interface NamespaceWatchOptions {
  report: (path: string) => void;
  logger: Logger;
  /** Namespaces with a notification socket. */
  mostSubscribed: number;
}

/** A batch every second: of 64 samples, less than half a percent of a processor. */
const intervalMs = 1000;
const mostSamples = 64;
/** Until the thread that samples is started again after a defect. */
const restartMs = 60_000;

/** See `Kernel.watchNamespaces`. */
export function watchNamespaces(options: NamespaceWatchOptions): NamespaceWatch {
  checkMainThread('watchNamespaces');
  return new SampledNamespaceWatch(options);
}

class SampledNamespaceWatch implements NamespaceWatch {
  readonly #options: NamespaceWatchOptions;
  readonly #schedule: WatchSchedule;
  readonly #sockets: NotificationSockets;
  readonly #threads: ThreadPool<SampleRequest, SampleAnswer>;
  #job: Job<SampleRequest> | undefined;
  /** The batch that is being sampled. */
  #batch: readonly string[] = [];
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: NamespaceWatchOptions) {
    this.#options = options;
    this.#schedule = new WatchSchedule({ mostSubscribed: options.mostSubscribed, mostSamples });
    this.#sockets = new NotificationSockets((path) => {
      this.#schedule.noteChange(path);
      options.report(path);
    });
    this.#threads = new ThreadPool<SampleRequest, SampleAnswer>({
      // Packed outside of this repository, both files are JavaScript.
      entry: new URL(`./sampler-thread${extname(import.meta.url)}`, import.meta.url),
      purpose: 'samples network namespaces',
      mostThreads: 1,
    });
  }

  add(path: string): void {
    if (this.#schedule.has(path)) return;
    this.#sockets.add(path);
    this.#schedule.add(path);
    this.#sampleLater();
  }

  remove(path: string): void {
    this.#schedule.remove(path);
    this.#sockets.remove(path);
  }

  rearm(path: string): void {
    this.#sockets.rearm(path);
  }

  hold(path: string): () => void {
    const holder = {};
    if (!this.#schedule.hold(path, holder)) return () => undefined;
    this.#subscribe(path);
    this.#sampleLater();
    return () => {
      this.#schedule.release(path, holder);
      this.#sampleLater();
    };
  }

  close(): void {
    this.#isClosed = true; // a holder may still release
    clearTimeout(this.#timer);
    this.#job?.close();
    this.#job = undefined;
    this.#sockets.close();
  }

  /** Without a descriptor left, it is sampled instead. */
  #subscribe(path: string, digest?: number): void {
    try {
      this.#sockets.add(path);
    } catch (error) {
      this.#schedule.unsubscribe(path, digest);
      this.#options.logger.debug('a namespace is sampled: its socket failed', { path, error: messageOf(error) });
    }
  }

  #sampleLater(delayMs = intervalMs): void {
    if (this.#timer !== undefined || this.#batch.length > 0 || this.#isClosed) return;
    if (this.#schedule.isIdle) {
      this.#job?.close(); // the thread ends later
      this.#job = undefined;
      return;
    }
    this.#timer = setTimeout(() => this.#sample(), delayMs).unref();
  }

  #sample(): void {
    this.#timer = undefined;
    const paths = this.#schedule.nextBatch();
    if (paths.length === 0) {
      this.#sampleLater();
      return;
    }
    this.#batch = paths;
    this.#job ??= this.#threads.open({
      onMessage: ({ digests }) => this.#finish(digests),
      onFailure: (error) => this.#fail(error),
    });
    this.#job.post({ paths });
  }

  #finish(digests: readonly (number | undefined)[]): void {
    const batch = this.#batch;
    this.#batch = [];
    // What a sample contains although nothing observed it yet has a notification pending.
    this.#sockets.reportReadable();
    for (const [index, path] of batch.entries()) this.#noteSample(path, digests[index]);
    this.#sampleLater();
  }

  #noteSample(path: string, digest: number | undefined): void {
    const result = this.#schedule.noteSample(path, digest);
    if (result === 'unsubscribed') this.#sockets.remove(path);
    if (result !== 'changed') return;
    this.#subscribe(path, digest); // before it is observed, so that no later change is missed
    this.#options.report(path);
  }

  #fail(error: Error): void {
    this.#job = undefined;
    this.#options.logger.error('sampling network namespaces failed', { error: error.message });
    for (const path of this.#batch) this.#schedule.noteSample(path, undefined);
    this.#batch = [];
    this.#sampleLater(restartMs);
  }
}
