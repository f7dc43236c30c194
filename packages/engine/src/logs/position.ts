/**
 * The position up to which a container's output files are logged: four numbers in one small file, rewritten after each
 * write to the log. If the daemon is killed between the two writes, the log is longer than this file says: it is
 * truncated and the output read again from here, so that nothing is lost or duplicated.
 */
import { constants, readSync, writeSync } from 'node:fs';
import { hasCode } from './file-errors.ts';
import { OnDemandFile } from './on-demand-file.ts';
import { closeFile, openFile } from './thread-files.ts';

export interface OutputPosition {
  /** Inode of the log file that `logSize` refers to: a rotation changes it. */
  logInode: bigint;
  logSize: number;
  /** Bytes of each output file that are in the log. */
  stdout: number;
  stderr: number;
}

const length = 32;

export class PositionFile {
  readonly #file: OnDemandFile;

  constructor(path: string) {
    this.#file = new OnDemandFile(path, 0o600);
  }

  /** One write of 32 bytes: a killed process has either made it or not. */
  write(position: OutputPosition): void {
    const record = Buffer.alloc(length);
    record.writeBigUInt64LE(position.logInode, 0);
    record.writeBigUInt64LE(BigInt(position.logSize), 8);
    record.writeBigUInt64LE(BigInt(position.stdout), 16);
    record.writeBigUInt64LE(BigInt(position.stderr), 24);
    writeSync(this.#file.fd, record, 0, length, 0);
  }

  /** Closes the file until the next write. */
  rest(): void {
    this.#file.rest();
  }

  close(): void {
    this.#file.close();
  }
}

/** Undefined when there is none. */
export function readPosition(path: string): OutputPosition | undefined {
  let fd: number;
  try {
    fd = openFile(path, constants.O_RDONLY);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
  try {
    const record = Buffer.alloc(length);
    if (readSync(fd, record, 0, length, 0) < length) return undefined;
    const number = (offset: number): number => Number(record.readBigUInt64LE(offset));
    return { logInode: record.readBigUInt64LE(0), logSize: number(8), stdout: number(16), stderr: number(24) };
  } finally {
    closeFile(fd);
  }
}
