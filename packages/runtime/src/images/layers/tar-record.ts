/**
 * A record of a layer's tar archive without the content of its files, from which, with the unpacked files, the archive is
 * assembled again, byte by byte (the idea of tar-split, which Docker's storage drivers use). So a layer that arrived
 * uncompressed is on the disk only once.
 *
 * Format: frames of two little-endian 32-bit lengths, compressed and plain, and zstd data. A frame has whole entries:
 *
 *     0  LENGTH (32 bits)  BYTES                   bytes of the archive
 *     1  LENGTH (32 bits)  PATH                    the next file, by its path in the layer's `diff`
 *     2  POSITION (64 bits)  LENGTH (64 bits)      content of the current file
 */
import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { bytesOf, NetyardError, type TarObserver, textOf } from '@netyard/core';

const kinds = { bytes: 0, file: 1, content: 2 } as const;
const frameSize = 256 * 1024;
/** More than any entry needs: bytes are split, and paths are at most PATH_MAX long. */
const largestFrame = 2 * frameSize;

export type RecordEntry =
  | { kind: 'bytes'; bytes: Uint8Array }
  | { kind: 'file'; path: string }
  | { kind: 'content'; position: number; length: number };

export class TarRecorder implements TarObserver {
  readonly #fd: number;
  readonly #frame = Buffer.allocUnsafe(frameSize);
  #used = 0;
  /** Not written yet, as it may continue. */
  #content: { position: number; length: number } | undefined;

  /** @param path of a new file */
  constructor(path: string) {
    this.#fd = openSync(path, 'wx', 0o600);
  }

  overhead(bytes: Uint8Array): void {
    this.#endContent();
    for (let at = 0; at < bytes.length; ) {
      if (frameSize - this.#used < 1024) this.#flush();
      const part = bytes.subarray(at, at + frameSize - this.#used - 5);
      this.#add(kinds.bytes, part);
      at += part.length;
    }
  }

  /** Call this before the file's content is read. */
  file(path: string): void {
    this.#endContent();
    const bytes = bytesOf(path);
    if (frameSize - this.#used < bytes.length + 5) this.#flush();
    this.#add(kinds.file, bytes);
  }

  content(position: number, length: number): void {
    const last = this.#content;
    if (last && last.position + last.length === position) {
      last.length += length;
      return;
    }
    this.#endContent();
    this.#content = { position, length };
  }

  finish(): void {
    this.#endContent();
    this.#flush();
    this.close();
  }

  close(): void {
    closeSync(this.#fd);
  }

  #add(kind: number, bytes: Uint8Array): void {
    this.#used = this.#frame.writeUInt8(kind, this.#used);
    this.#used = this.#frame.writeUInt32LE(bytes.length, this.#used);
    this.#frame.set(bytes, this.#used);
    this.#used += bytes.length;
  }

  #endContent(): void {
    if (this.#content === undefined) return;
    const { position, length } = this.#content;
    this.#content = undefined;
    if (frameSize - this.#used < 17) this.#flush();
    this.#used = this.#frame.writeUInt8(kinds.content, this.#used);
    this.#used = this.#frame.writeBigUInt64LE(BigInt(position), this.#used);
    this.#used = this.#frame.writeBigUInt64LE(BigInt(length), this.#used);
  }

  #flush(): void {
    if (this.#used === 0) return;
    const data = zstdCompressSync(this.#frame.subarray(0, this.#used));
    const lengths = Buffer.alloc(8);
    lengths.writeUInt32LE(data.length, 0);
    lengths.writeUInt32LE(this.#used, 4);
    writeAll(this.#fd, Buffer.concat([lengths, data]));
    this.#used = 0;
  }
}

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}

/** Throws `failed` for a damaged file. */
export function* readRecord(path: string): Generator<RecordEntry> {
  const fd = openSync(path, 'r');
  try {
    const { size } = fstatSync(fd);
    const lengths = Buffer.alloc(8);
    for (let at = 0; at < size; ) {
      at += readFully(fd, lengths, at, path);
      const [compressed, plain] = [lengths.readUInt32LE(0), lengths.readUInt32LE(4)];
      if (compressed > largestFrame || plain > largestFrame) throw damaged(path);
      const data = Buffer.alloc(compressed);
      at += readFully(fd, data, at, path);
      yield* entriesOf(inflated(data, plain, path), path);
    }
  } finally {
    closeSync(fd);
  }
}

function readFully(fd: number, buffer: Buffer, position: number, path: string): number {
  for (let at = 0; at < buffer.length; ) {
    const count = readSync(fd, buffer, at, buffer.length - at, position + at);
    if (count === 0) throw damaged(path);
    at += count;
  }
  return buffer.length;
}

function inflated(data: Buffer, length: number, path: string): Buffer {
  try {
    const frame = zstdDecompressSync(data, { maxOutputLength: length });
    if (frame.length === length) return frame;
  } catch (error) {
    throw damaged(path, error);
  }
  throw damaged(path);
}

function* entriesOf(frame: Buffer, path: string): Generator<RecordEntry> {
  for (let at = 0; at < frame.length; ) {
    const kind = frame[at];
    if (kind === kinds.content) {
      if (at + 17 > frame.length) throw damaged(path);
      const [position, length] = [frame.readBigUInt64LE(at + 1), frame.readBigUInt64LE(at + 9)];
      yield { kind: 'content', position: Number(position), length: Number(length) };
      at += 17;
      continue;
    }
    const end = at + 5 + (at + 5 > frame.length ? 0 : frame.readUInt32LE(at + 1));
    if (end > frame.length || (kind !== kinds.bytes && kind !== kinds.file)) throw damaged(path);
    const bytes = frame.subarray(at + 5, end);
    yield kind === kinds.bytes ? { kind: 'bytes', bytes } : { kind: 'file', path: textOf(bytes) };
    at = end;
  }
}

const damaged = (path: string, cause?: unknown): NetyardError =>
  new NetyardError('failed', `${path} is damaged`, { hint: 'remove the image and load or pull it again', cause });
