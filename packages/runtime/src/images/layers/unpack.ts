/** Unpacks layers in a thread of their own: a layer may be large, compressed, and of a great many files. */
import { Worker } from 'node:worker_threads';
import { type ErrorCode, NetyardError } from '@netyard/core';
import { type LayerReport, type WriteLayerOptions, writeLayer } from './layer-writer.ts';

export interface UnpackRequest extends WriteLayerOptions {
  folder: string;
}

/** To the thread: pieces of the archive. `failed`: there will be no more, and the thread ends. */
export type ToUnpacker = { data: ArrayBuffer } | 'end' | 'failed';
export type FromUnpacker =
  /** So many bytes have been taken. */
  | { taken: number }
  | { report: LayerReport }
  /** Errors themselves lose their class on the way. */
  | { error: { code: ErrorCode; message: string; hint: string | undefined } };

/** Smaller layers are unpacked in place: the start of a thread takes longer. */
const smallLayer = 256 * 1024;
/** Each one takes some 10 MiB. */
const mostThreads = 8;
/** Bytes that wait for the thread at most. */
const mostWaiting = 8 * 1024 * 1024;
const pieceSize = 512 * 1024;

export class LayerUnpacker {
  #threads = 0;

  /**
   * `writeLayer`, with the same errors: in a thread, or in time slices of this one when the layer is small or clients keep
   * all threads busy. So no client has to wait for another one, and many need no more memory than some.
   *
   * @param length of the uncompressed archive, if it is known
   */
  async unpack(
    stream: AsyncIterable<Uint8Array>,
    request: UnpackRequest,
    length = Number.POSITIVE_INFINITY,
  ): Promise<LayerReport> {
    if (length <= smallLayer || this.#threads >= mostThreads) return await writeLayer(stream, request.folder, request);
    this.#threads += 1;
    try {
      return await unpackInThread(stream, request);
    } finally {
      this.#threads -= 1;
    }
  }
}

async function unpackInThread(stream: AsyncIterable<Uint8Array>, request: UnpackRequest): Promise<LayerReport> {
  const thread = new UnpackThread(request);
  try {
    for await (const piece of pieces(stream)) await thread.send(piece);
  } catch (error) {
    await thread.cancel();
    throw error;
  }
  return await thread.finish();
}

class UnpackThread {
  readonly #worker: Worker;
  readonly #ended: Promise<void>;
  #waiting = 0;
  #result: { report: LayerReport } | { error: Error } | undefined;
  #wake: () => void = () => undefined;

  constructor(request: UnpackRequest, entry = new URL('./unpack-thread.ts', import.meta.url)) {
    this.#worker = new Worker(entry, { workerData: request, trackUnmanagedFds: false });
    this.#worker.on('message', (message: FromUnpacker) => this.#receive(message));
    this.#worker.on('error', (error: Error) => this.#settle({ error }));
    this.#ended = new Promise((resolve) => {
      this.#worker.on('exit', () => {
        this.#settle({ error: new NetyardError('internal', 'the thread that unpacks a layer ended') });
        resolve();
      });
    });
  }

  #receive(message: FromUnpacker): void {
    if ('taken' in message) {
      this.#waiting -= message.taken;
      this.#wake();
    } else if ('report' in message) this.#settle(message);
    else {
      const { code, message: text, hint } = message.error;
      this.#settle({ error: new NetyardError(code, text, hint === undefined ? {} : { hint }) });
    }
  }

  #settle(result: { report: LayerReport } | { error: Error }): void {
    this.#result ??= result;
    this.#wake();
  }

  /** Waits for room; throws the thread's error. */
  async send(data: ArrayBuffer): Promise<void> {
    this.#waiting += data.byteLength;
    this.#post({ data }, [data]);
    while (this.#waiting > mostWaiting && this.#result === undefined) await this.#change();
    if (this.#result !== undefined && 'error' in this.#result) throw this.#result.error;
  }

  async finish(): Promise<LayerReport> {
    this.#post('end');
    while (this.#result === undefined) await this.#change();
    await this.#ended;
    if ('error' in this.#result) throw this.#result.error;
    return this.#result.report;
  }

  /** Returns when the thread no longer writes anything. */
  async cancel(): Promise<void> {
    this.#post('failed');
    await this.#ended;
  }

  #post(message: ToUnpacker, moved: ArrayBuffer[] = []): void {
    this.#worker.postMessage(message, moved);
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

/** Copies in larger pieces, which can be moved to the thread. */
async function* pieces(stream: AsyncIterable<Uint8Array>): AsyncGenerator<ArrayBuffer> {
  let piece = new Uint8Array(pieceSize);
  let used = 0;
  for await (const chunk of stream) {
    for (let at = 0; at < chunk.length; ) {
      const part = chunk.subarray(at, at + pieceSize - used);
      piece.set(part, used);
      used += part.length;
      at += part.length;
      if (used < pieceSize) continue;
      yield piece.buffer;
      piece = new Uint8Array(pieceSize);
      used = 0;
    }
  }
  if (used > 0) yield piece.buffer.slice(0, used);
}
