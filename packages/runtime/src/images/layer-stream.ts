/**
 * The changes of a container as a layer, read in a thread: a container may have changed a great many files. The thread
 * reads at most one chunk ahead of the consumer.
 */
import { Readable } from 'node:stream';
import { receivedError, type SentError, ThreadPool } from '@netyard/core';

export type LayerRequest = { upper: string } | 'next' | 'stop';
/** `end`: its descriptors are closed. */
export type LayerMessage = { chunk: Uint8Array } | 'end' | { error: SentError };

export class LayerReader {
  readonly #threads = new ThreadPool<LayerRequest, LayerMessage>({
    entry: new URL('./layer-thread.ts', import.meta.url),
    purpose: 'reads layers',
    mostThreads: 1,
  });

  /** @param upper the upper directory of an overlay mount */
  read(upper: string): Readable {
    let onEnd: (() => void) | undefined;
    let isEnded = false;
    const end = (): void => {
      isEnded = true;
      job.close();
      onEnd?.();
    };
    const stream = new Readable({
      read: () => job.post('next'),
      /** Its descriptors are closed when the stream is. */
      destroy(error, done) {
        if (isEnded) return done(error);
        onEnd = () => done(error);
        job.post('stop');
      },
    });
    const fail = (error: Error): void => {
      end();
      stream.destroy(error);
    };
    const job = this.#threads.open({
      onMessage(message) {
        if (message === 'end') {
          end();
          stream.push(null);
        } else if ('chunk' in message) stream.push(message.chunk);
        else fail(receivedError(message.error));
      },
      onFailure: fail,
    });
    job.post({ upper });
    return stream;
  }
}
