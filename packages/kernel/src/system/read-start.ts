/**
 * Reads files that other programs write, as a container its own hosts file: they may be as large as the disk, or a FIFO
 * whose writer never comes.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { NetyardError } from '@netyard/core';
import { hasErrno } from './ffi/errno.ts';

export interface FileStart {
  /** The first `limit` bytes. */
  data: Buffer;
  /** Whether that is all of the file. */
  isComplete: boolean;
}

/** Bytes of the first buffer, which most files fit into, and of the others. */
const [first, chunk] = [4096, 64 * 1024];

export function readStart(fd: number, limit: number): FileStart {
  const parts: Buffer[] = [];
  let isEnd = false;
  for (let rest = limit + 1; rest > 0 && !isEnd; ) {
    const part = Buffer.allocUnsafe(Math.min(rest, parts.length === 0 ? first : chunk));
    const length = fill(fd, part);
    isEnd = length < part.length;
    parts.push(part.subarray(0, length));
    rest -= length;
  }
  const data = Buffer.concat(parts);
  return { data: data.subarray(0, limit), isComplete: data.length <= limit };
}

/** Reads until the buffer is full or the file ends. */
function fill(fd: number, buffer: Buffer): number {
  let filled = 0;
  for (let length = 1; length > 0 && filled < buffer.length; filled += length)
    length = readSync(fd, buffer, filled, buffer.length - filled, null);
  return filled;
}

/** Undefined when there is no such file. Throws `failed` for what is no regular file: a read could block, or never end. */
export function readStartIfExists(path: string, limit: number): FileStart | undefined {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
  try {
    if (!fstatSync(fd).isFile()) throw new NetyardError('failed', `${path} is not a regular file`);
    return readStart(fd, limit);
  } finally {
    closeSync(fd);
  }
}
