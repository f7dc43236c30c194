/** Assembles the tar archive of an unpacked layer from its record (tar-record.ts) and its files. */
import { createHash } from 'node:crypto';
import { closeSync, constants, existsSync, openSync, read, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { fsPath, NetyardError, TimeSlice } from '@netyard/core';
import { hasErrno } from '@netyard/kernel';
import { type MovedFile, MovedFiles } from './moved-files.ts';
import { readRecord } from './tar-record.ts';

const readLater = promisify(read);

export const recordFile = 'tar';
export const movedFile = 'moved';

const chunkSize = 1024 * 1024;
/** Up to this much is read in place: the thread pool costs more. */
const readInPlace = 64 * 1024;

/**
 * Throws `failed` when the files are no longer those of the digest.
 *
 * @param folder of a layer
 * @param isShortLived each chunk is valid until the next one is requested
 */
export async function* assembleLayer(folder: string, digest: string, isShortLived = false): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  for await (const chunk of chunksOf(folder, isShortLived)) {
    hash.update(chunk);
    yield chunk;
  }
  if (`sha256:${hash.digest('hex')}` !== digest) throw changed(folder, digest);
}

async function* chunksOf(folder: string, isShortLived: boolean): AsyncGenerator<Uint8Array> {
  const files = new LayerFiles(folder);
  const buffer = isShortLived ? Buffer.allocUnsafe(chunkSize) : undefined;
  const slice = new TimeSlice();
  let small: Uint8Array[] = [];
  let length = 0;
  try {
    for (const entry of readRecord(join(folder, recordFile))) {
      if (slice.isOver) await slice.next();
      if (entry.kind === 'file') files.open(entry.path);
      else if (entry.kind === 'bytes' || entry.length <= readInPlace) {
        small.push(entry.kind === 'bytes' ? entry.bytes : files.read(entry.position, entry.length));
        length += small.at(-1)?.length ?? 0;
      } else {
        yield Buffer.concat(small);
        yield* files.chunks(entry.position, entry.length, buffer);
        [small, length] = [[], 0];
      }
      if (length < chunkSize) continue;
      yield Buffer.concat(small);
      [small, length] = [[], 0];
    }
    if (length > 0) yield Buffer.concat(small);
  } finally {
    files.close();
  }
}

/** The files of a record, one open at a time. */
class LayerFiles {
  readonly #folder: string;
  readonly #moved: MovedFiles;
  #number = 0;
  #path = '';
  #fd: number | undefined;

  constructor(folder: string) {
    this.#folder = folder;
    const moved = join(folder, movedFile);
    this.#moved = new MovedFiles(existsSync(moved) ? (JSON.parse(readFileSync(moved, 'utf8')) as MovedFile[]) : []);
  }

  open(path: string): void {
    this.close();
    this.#path = join(this.#folder, this.#moved.placeOf(path, this.#number));
    this.#number += 1;
    const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
    try {
      this.#fd = openSync(fsPath(this.#path), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    } catch (error) {
      if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO')) throw missing(this.#path, error);
      throw error;
    }
  }

  read(position: number, length: number): Uint8Array {
    const data = Buffer.allocUnsafe(length);
    for (let at = 0; at < length; ) {
      const count = readSync(this.#opened, data, at, length - at, position + at);
      if (count === 0) throw missing(this.#path);
      at += count;
    }
    return data;
  }

  /** @param reused for every chunk, instead of a buffer for each */
  async *chunks(position: number, length: number, reused: Buffer | undefined): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < length; ) {
      const count = Math.min(chunkSize, length - at);
      const buffer = reused ?? Buffer.allocUnsafe(count);
      const { bytesRead } = await readLater(this.#opened, buffer, 0, count, position + at);
      if (bytesRead === 0) throw missing(this.#path);
      yield buffer.subarray(0, bytesRead);
      at += bytesRead;
    }
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  get #opened(): number {
    if (this.#fd === undefined) throw missing(this.#folder);
    return this.#fd;
  }
}

const hint = 'remove the image and load or pull it again';

const missing = (path: string, cause?: unknown): NetyardError =>
  new NetyardError('failed', `${path} is no longer as it was unpacked`, { hint, cause });

const changed = (folder: string, digest: string): NetyardError =>
  new NetyardError('failed', `the files in ${folder} are no longer those of the layer ${digest}`, { hint });
