/** Unpacks layers in threads: a layer may be large, compressed, and of a great many files. */
import { availableParallelism } from 'node:os';
import { type Job, receivedError, type SentError, ThreadPool } from '@netyard/core';
import { type LayerReport, type WriteLayerOptions, writeLayer } from './layer-writer.ts';

export interface UnpackRequest extends WriteLayerOptions {
  folder: string;
}

/** To the thread: the request, then pieces of the archive. `failed`: there will be no more. */
export type ToUnpacker = { request: UnpackRequest } | { pieces: Uint8Array[] } | 'end' | 'failed';
export type FromUnpacker =
  /** So many bytes have been taken. */
  { taken: number } | { report: LayerReport } | { error: SentError };

type Threads = ThreadPool<ToUnpacker, FromUnpacker>;

/** Smaller layers are unpacked in place: the start of a thread takes longer. */
const smallLayer = 256 * 1024;
/** Each one takes some 10 MiB. */
const mostThreads = Math.min(4, availableParallelism());
/** Bytes that wait for the threads at most, and one piece of each layer. */
const mostWaiting = 16 * 1024 * 1024;
/** So many bytes are sent together while the thread is busy. */
const messageSize = 512 * 1024;

export class LayerUnpacker {
  readonly #threads: Threads = new ThreadPool({
    entry: new URL('./unpack-thread.ts', import.meta.url),
    purpose: 'unpacks layers',
    mostThreads,
  });
  readonly #waiting = { bytes: 0 };

  /**
   * `writeLayer`, with the same errors, in a thread unless the layer is small. Threads divide their time between their
   * layers, so no client has to wait for another one, and a client that sends nothing costs little.
   *
   * @param length of the uncompressed archive, if it is known
   */
  async unpack(
    stream: AsyncIterable<Uint8Array>,
    request: UnpackRequest,
    length = Number.POSITIVE_INFINITY,
  ): Promise<LayerReport> {
    if (length <= smallLayer) return await writeLayer(stream, request.folder, request);
    const job = new UnpackJob(this.#threads, this.#waiting, request);
    try {
      for await (const piece of stream) await job.send(piece);
    } catch (error) {
      await job.cancel();
      throw error;
    }
    return await job.finish();
  }
}

class UnpackJob {
  readonly #job: Job<ToUnpacker>;
  /** Of all jobs. */
  readonly #allWaiting: { bytes: number };
  #waiting = 0;
  /** Not sent yet, because the thread is busy. */
  #held: Uint8Array<ArrayBuffer>[] = [];
  #heldBytes = 0;
  #result: { report: LayerReport } | { error: Error } | undefined;
  #wake: () => void = () => undefined;

  constructor(threads: Threads, allWaiting: { bytes: number }, request: UnpackRequest) {
    this.#allWaiting = allWaiting;
    this.#job = threads.open({
      onMessage: (message) => this.#receive(message),
      onFailure: (error) => this.#settle({ error }),
    });
    this.#job.post({ request });
  }

  #receive(message: FromUnpacker): void {
    if ('taken' in message) {
      this.#count(-message.taken);
      if (this.#waiting === 0) this.#flush();
      this.#wake();
    } else this.#settle('report' in message ? message : { error: receivedError(message.error) });
  }

  #settle(result: { report: LayerReport } | { error: Error }): void {
    if (this.#result) return;
    this.#result = result;
    this.#job.close();
    this.#count(-this.#waiting);
    this.#held = [];
    this.#wake();
  }

  /** Waits for room; throws the thread's error. */
  async send(bytes: Uint8Array): Promise<void> {
    if (this.#result === undefined) {
      this.#held.push(new Uint8Array(bytes)); // a copy, which is moved to the thread
      this.#heldBytes += bytes.length;
      if (this.#waiting === 0 || this.#heldBytes >= messageSize) this.#flush();
    }
    while (this.#waiting > 0 && this.#allWaiting.bytes > mostWaiting) await this.#change();
    this.#throwError();
  }

  /** Sends everything in one message. */
  #flush(): void {
    const pieces = this.#held;
    if (pieces.length === 0 || this.#result) return;
    this.#count(this.#heldBytes);
    this.#held = [];
    this.#heldBytes = 0;
    this.#job.post(
      { pieces },
      pieces.map(({ buffer }) => buffer),
    );
  }

  async finish(): Promise<LayerReport> {
    this.#flush();
    this.#job.post('end');
    for (;;) {
      this.#throwError();
      if (this.#result && 'report' in this.#result) return this.#result.report;
      await this.#change();
    }
  }

  /** Returns when the thread no longer writes anything. */
  async cancel(): Promise<void> {
    this.#job.post('failed');
    while (this.#result === undefined) await this.#change();
  }

  #count(bytes: number): void {
    this.#waiting += bytes;
    this.#allWaiting.bytes += bytes;
  }

  #throwError(): void {
    if (this.#result && 'error' in this.#result) throw this.#result.error;
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}
