/**
 * The changes of a container as a layer, read in a thread of its own: a container may have changed a great many files.
 * The thread reads at most one chunk ahead of the consumer.
 */
import { Readable } from 'node:stream';
import { Worker } from 'node:worker_threads';
import { type ErrorCode, NetyardError } from '@netyard/core';

export type LayerRequest = 'next' | 'stop';
export type LayerMessage =
  | { chunk: Uint8Array }
  | { end: true }
  /** Errors themselves lose their class on the way. */
  | { error: { code: ErrorCode; message: string; hint: string | undefined } };

/** @param upper the upper directory of an overlay mount */
export function readLayer(upper: string, entry = new URL('./layer-thread.ts', import.meta.url)): Readable {
  // Node would close, with a warning, what the thread opens by system calls of its own.
  const worker = new Worker(entry, { workerData: { upper }, trackUnmanagedFds: false });
  let ended = false;
  let complete = false;
  const post = (request: LayerRequest): void => {
    if (!ended) worker.postMessage(request);
  };
  const stream = new Readable({
    read: () => post('next'),
    /** Its descriptors are closed when the stream is. */
    destroy(error, done) {
      if (ended) return done(error);
      worker.once('exit', () => done(error));
      post('stop');
    },
  });
  worker.on('message', (message: LayerMessage) => {
    if ('chunk' in message) stream.push(message.chunk);
    else if ('end' in message) {
      complete = true;
      stream.push(null);
    } else stream.destroy(errorOf(message.error));
  });
  worker.on('error', (error: Error) => stream.destroy(error));
  worker.on('exit', () => {
    ended = true;
    if (!complete) stream.destroy(new NetyardError('internal', 'the thread that reads a layer ended'));
  });
  return stream;
}

function errorOf({
  code,
  message,
  hint,
}: {
  code: ErrorCode;
  message: string;
  hint: string | undefined;
}): NetyardError {
  return new NetyardError(code, message, hint === undefined ? {} : { hint });
}
