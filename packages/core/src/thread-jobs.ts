/** The thread's side of ThreadPool: the messages between both, and the loop that hands them to jobs. */
import { parentPort, type Transferable } from 'node:worker_threads';
import { type ErrorCode, errorCodeOf, messageOf, NetyardError } from './errors.ts';

/** `collect`: the thread has no jobs. `end`: it gets no more either. */
export type ToThread<To> = { job: number; message: To } | { job: number; closed: true } | 'collect' | 'end';
export interface FromThread<From> {
  job: number;
  message: From;
}

/** Errors themselves lose their class on the way between threads. */
export interface SentError {
  code: ErrorCode;
  message: string;
  hint: string | undefined;
}

export function sentError(error: unknown): SentError {
  const hint = error instanceof NetyardError ? error.hint : undefined;
  return { code: errorCodeOf(error), message: messageOf(error), hint };
}

export function receivedError({ code, message, hint }: SentError): NetyardError {
  return new NetyardError(code, message, hint === undefined ? {} : { hint });
}

export type Send<From> = (message: From, moved?: Transferable[]) => void;

/**
 * Runs the jobs of this thread. An exception that a job does not catch ends the thread and fails all its jobs.
 *
 * @param start called at the first message of a job; returns what receives its messages, the first one included
 */
export function serveJobs<To, From>(start: (send: Send<From>) => (message: To) => void): void {
  const port = parentPort;
  if (!port) throw new NetyardError('internal', 'jobs are served in a worker thread only');
  const jobs = new Map<number, (message: To) => void>();
  port.on('message', (received: ToThread<To>) => {
    if (received === 'end') return port.close();
    if (received === 'collect') return void globalThis.gc?.(); // absent without --expose-gc
    const { job } = received;
    if ('closed' in received) {
      jobs.delete(job);
      return;
    }
    const receive = jobs.get(job) ?? start((message, moved = []) => port.postMessage({ job, message }, moved));
    jobs.set(job, receive);
    receive(received.message);
  });
}
