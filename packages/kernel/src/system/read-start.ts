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

const chunk = 64 * 1024;

export function readStart(fd: number, limit: number): FileStart {
  const parts: Buffer[] = [];
  for (let rest = limit + 1; rest > 0; ) {
    const part = Buffer.allocUnsafe(Math.min(rest, chunk));
    const length = readSync(fd, part);
    if (length === 0) break;
    parts.push(part.subarray(0, length));
    rest -= length;
  }
  const data = Buffer.concat(parts);
  return { data: data.subarray(0, limit), isComplete: data.length <= limit };
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
