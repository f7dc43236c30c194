/** The files of one log: opens them for readers, compressed or not. */
import { existsSync, fstatSync, lstatSync, readSync } from 'node:fs';
import { CompressedLog, type LogIdentity } from './compressed-log.ts';
import { hasCode } from './file-errors.ts';
import { closeFile, openFile } from './thread-files.ts';

/** Docker does not use files beyond `.99` either. */
const oldestAge = 99;
/** A rotation renames the oldest first, so that one age after the other has no file for a moment. */
const missingAtEnd = 2;

/** Path of the file that is `age` rotations old. */
export const agedPath = (path: string, age: number): string => (age === 0 ? path : `${path}.${age}`);
export const compressedPath = (path: string): string => `${path}.gz`;

/** Whether there is a file that is `age` rotations old, compressed or not. */
export function hasFile(path: string, age: number): boolean {
  const aged = agedPath(path, age);
  return existsSync(aged) || existsSync(compressedPath(aged));
}

/** Whether both are names of one file: a rotation has given the present log its second name, but was not completed. */
export function isSameFile(path: string, other: string): boolean {
  const [a, b] = [path, other].map((each) => lstatSync(each, { bigint: true, throwIfNoEntry: false }));
  return a !== undefined && b !== undefined && a.ino === b.ino && a.dev === b.dev;
}

/** The uncompressed files of a log but the current one, newest first. */
export function* uncompressedPaths(path: string, maximumFiles: number): Generator<string> {
  for (let age = 1, missing = 0; age < maximumFiles && missing < missingAtEnd; age += 1) {
    const aged = agedPath(path, age);
    if (existsSync(aged) && !isSameFile(path, aged)) yield aged;
    missing = hasFile(path, age) ? 0 : missing + 1;
  }
}

/** One file of a log, with the position of its reader. */
export class LogPart {
  readonly fd: number;
  readonly identity: LogIdentity;
  offset = 0;
  readonly #compressed: CompressedLog | undefined;

  constructor(fd: number, compressed?: CompressedLog) {
    this.fd = fd;
    this.#compressed = compressed;
    this.identity = compressed?.identity ?? identityOf(fd);
  }

  /** Of the log, also if it is compressed. */
  get inode(): bigint {
    return this.identity.inode;
  }

  /** Nothing is written to it any more. */
  get isCompressed(): boolean {
    return this.#compressed !== undefined;
  }

  get size(): number {
    return this.#compressed?.size ?? fstatSync(this.fd).size;
  }

  isSame({ inode, createdAt }: LogIdentity): boolean {
    return this.identity.inode === inode && this.identity.createdAt === createdAt;
  }

  /** Reads at most `room` bytes into the buffer from `from` on. */
  read(buffer: Buffer, from: number, room: number, position: number): number {
    if (this.#compressed) return this.#compressed.read(buffer, from, room, position);
    return readSync(this.fd, buffer, from, room, position);
  }

  close(): void {
    closeFile(this.fd);
  }
}

export function identityOf(fd: number): LogIdentity {
  const { ino, birthtimeNs } = fstatSync(fd, { bigint: true });
  return { inode: ino, createdAt: birthtimeNs };
}

/** Oldest first; each once, also when a rotation renames or compresses them meanwhile. */
export function openParts(path: string): LogPart[] {
  const parts: LogPart[] = [];
  for (let age = 0, missing = 0; age <= oldestAge && missing < missingAtEnd; age += 1) {
    const part = openPart(agedPath(path, age));
    if (!part && age > 0) missing += 1;
    if (!part) continue;
    missing = 0;
    if (parts.some(({ identity }) => part.isSame(identity))) part.close();
    else parts.unshift(part);
  }
  return parts;
}

function openPart(path: string): LogPart | undefined {
  const plain = openIfExists(path);
  if (plain !== undefined) return new LogPart(plain);
  const fd = openIfExists(compressedPath(path));
  if (fd === undefined) return undefined;
  const compressed = CompressedLog.open(fd);
  if (compressed) return new LogPart(fd, compressed);
  closeFile(fd);
  return undefined;
}

function openIfExists(path: string): number | undefined {
  try {
    return openFile(path, 'r');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}
