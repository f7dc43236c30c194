/** Data of one operation on the disk, in a file without a name: whatever happens, nothing is left. */
import { createHash } from 'node:crypto';
import { closeSync, openSync, read, rmSync, write } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { NetyardError } from '@netyard/core';
import type { SpooledData } from '@netyard/engine';

const readLater = promisify(read);
const writeLater = promisify(write);

const pieceSize = 1024 * 1024;

/**
 * Reads the stream to its end, and computes its digest meanwhile.
 *
 * @param folder an empty directory on the disk to use; it is removed
 */
export async function spool(stream: AsyncIterable<Uint8Array>, folder: string): Promise<SpooledData> {
  const file = new SpoolFile(folder);
  const hash = createHash('sha256');
  let size = 0;
  try {
    for await (const piece of stream) {
      hash.update(piece);
      await file.written(); // the next piece is made meanwhile: the thread pool that writes is busy compressing
      file.write(piece, size);
      size += piece.length;
    }
    await file.written();
  } catch (error) {
    await file.close();
    throw error;
  }
  const digest = `sha256:${hash.digest('hex')}`;
  return { digest, size, read: () => file.read(size), discard: () => file.close() };
}

class SpoolFile {
  readonly #fd: number;
  /** The calls that use the descriptor: it is closed after them, as its number may then be another file's. */
  readonly #calls = new Set<Promise<unknown>>();
  #writing: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  constructor(folder: string) {
    try {
      this.#fd = openSync(join(folder, 'data'), 'wx+', 0o600);
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  write(piece: Uint8Array, position: number): void {
    this.#writing = this.#call(this.#writeAll(piece, position));
  }

  /** Throws the error of the last write. */
  async written(): Promise<void> {
    await this.#writing;
  }

  async *read(size: number): AsyncGenerator<Uint8Array> {
    for (let position = 0; position < size; ) {
      if (this.#isClosed) throw new NetyardError('internal', 'a spooled file is read after its end');
      const buffer = Buffer.allocUnsafe(Math.min(pieceSize, size - position));
      const { bytesRead } = await this.#call(readLater(this.#fd, buffer, 0, buffer.length, position));
      if (bytesRead === 0) throw new NetyardError('internal', 'a spooled file became shorter');
      yield buffer.subarray(0, bytesRead);
      position += bytesRead;
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.allSettled(this.#calls);
    closeSync(this.#fd);
  }

  async #writeAll(piece: Uint8Array, position: number): Promise<void> {
    for (let done = 0; done < piece.length; )
      done += (await writeLater(this.#fd, piece, done, piece.length - done, position + done)).bytesWritten;
  }

  #call<T>(call: Promise<T>): Promise<T> {
    this.#calls.add(call);
    const end = (): boolean => this.#calls.delete(call);
    call.then(end, end); // an error is reported to who awaits the call
    return call;
  }
}
