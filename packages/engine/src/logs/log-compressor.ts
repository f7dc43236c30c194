/**
 * Compresses rotated logs: one file at a time, in a thread of libuv's pool. A file keeps its name until its compressed
 * copy is complete, and a killed daemon's copy is made again.
 */
import { constants, fsync, readSync, renameSync, rmSync, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import { deflateRaw } from 'node:zlib';
import { blockLength, encodeMember, type LogIdentity } from './compressed-log.ts';
import { hasCode } from './file-errors.ts';
import { compressedPath, identityOf, uncompressedPaths } from './rotated-files.ts';
import { closeFile, openFile } from './thread-files.ts';

const deflate = promisify(deflateRaw);
const flush = promisify(fsync); // in a thread, too: it waits for the disk
/** Of zlib: the fastest. A busy container's log is compressed beside it. */
const level = 1;
const mode = 0o640;
const { O_WRONLY, O_CREAT, O_TRUNC, O_RDONLY, O_NOFOLLOW } = constants;

interface Log {
  path: string;
  maximumFiles: number;
}

export class LogCompressor {
  readonly #report: (path: string, error: unknown) => void;
  /** By path; those that have files to compress. */
  readonly #logs = new Map<string, Log>();
  #isBusy = false;

  constructor(report: (path: string, error: unknown) => void) {
    this.#report = report;
  }

  /** Compresses all files of the log but the current one. */
  add(path: string, maximumFiles: number): void {
    this.#logs.set(path, { path, maximumFiles });
    void this.#run();
  }

  async #run(): Promise<void> {
    if (this.#isBusy) return;
    this.#isBusy = true;
    for (let log = this.#next(); log; log = this.#next()) {
      this.#logs.delete(log.path);
      try {
        if (await compressNewest(log)) this.#logs.set(log.path, log);
      } catch (error) {
        if (!hasCode(error, 'ENOENT')) this.#report(log.path, error); // otherwise the container was removed
      }
    }
    this.#isBusy = false;
  }

  #next(): Log | undefined {
    for (const log of this.#logs.values()) return log;
    return undefined;
  }
}

/** The newest, which is kept for longest. Returns false when there was none. */
async function compressNewest({ path, maximumFiles }: Log): Promise<boolean> {
  const [source] = uncompressedPaths(path, maximumFiles);
  const copy = `${path}.compressing`;
  if (source === undefined) {
    rmSync(copy, { force: true });
    return false;
  }
  const from = openFile(source, O_RDONLY | O_NOFOLLOW);
  try {
    const identity = identityOf(from);
    await writeCopy(from, copy, identity);
    replace([...uncompressedPaths(path, maximumFiles)], copy, identity);
  } catch (error) {
    rmSync(copy, { force: true });
    throw error;
  } finally {
    closeFile(from);
  }
  return true;
}

async function writeCopy(from: number, copy: string, identity: LogIdentity): Promise<void> {
  const to = openFile(copy, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode);
  try {
    const block = Buffer.allocUnsafe(blockLength);
    for (let at = 0, count = readSync(from, block, 0, blockLength, at); count > 0; ) {
      const content = block.subarray(0, count);
      writeAll(to, encodeMember(content, await deflate(content, { level }), identity));
      at += count;
      count = readSync(from, block, 0, blockLength, at);
    }
    await flush(to);
  } finally {
    closeFile(to);
  }
}

function writeAll(fd: number, bytes: Buffer): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
}

/** The original may have been renamed by a rotation meanwhile, or deleted. One synchronous step. */
function replace(paths: readonly string[], copy: string, identity: LogIdentity): void {
  const source = paths.find((path) => isFile(path, identity));
  if (source === undefined) rmSync(copy, { force: true });
  else {
    renameSync(copy, compressedPath(source));
    rmSync(source);
  }
}

function isFile(path: string, { inode, createdAt }: LogIdentity): boolean {
  const fd = openFile(path, O_RDONLY | O_NOFOLLOW);
  try {
    const found = identityOf(fd);
    return found.inode === inode && found.createdAt === createdAt;
  } finally {
    closeFile(fd);
  }
}
