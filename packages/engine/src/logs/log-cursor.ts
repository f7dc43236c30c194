/**
 * A read position in a container's log, which may consist of several files and be rotated meanwhile. Holds its own
 * descriptors, so that rotation does not lose data. Reads the current file only as far as its writer has completed it.
 */
import { fstatSync, readSync } from 'node:fs';
import type { CaptureState } from './capture-state.ts';
import { hasCode } from './file-errors.ts';
import { agedPath } from './log-file.ts';
import { closeFile, openFile } from './thread-files.ts';

const blockSize = 64 * 1024;
/** Docker does not use files beyond `.99` either. */
const oldestAge = 99;

/** A byte of the file with this inode. */
export interface LogPosition {
  inode: bigint;
  size: number;
}

interface OpenFile {
  fd: number;
  inode: bigint;
  offset: number;
}

export class LogCursor {
  readonly #path: string;
  readonly #live: CaptureState | undefined;
  readonly #end: LogPosition | undefined;
  /** Oldest first. */
  readonly #files: OpenFile[];

  /**
   * @param live of the run that writes to the log; undefined if none does
   * @param until `growing`: also what is written later; `present`: the existing content; otherwise up to this position
   */
  constructor(path: string, live: CaptureState | undefined, until: 'growing' | 'present' | LogPosition) {
    this.#path = path;
    this.#live = live;
    this.#files = openFiles(path);
    this.#end = until === 'present' ? this.#present() : until === 'growing' ? undefined : until;
    this.#dropAfterEnd();
  }

  /** Moves to the start of the last `count` lines. */
  seekTail(count: number): void {
    let left = count;
    for (const file of [...this.#files].reverse()) {
      const size = this.#sizeOf(file);
      if (left <= 0) {
        file.offset = size;
        continue;
      }
      const found = lastLines(file.fd, size, left);
      file.offset = found.offset;
      left -= found.lines;
    }
  }

  /** Reads on, into the buffer from `from` on. Returns 0 at the end of the available content. */
  read(buffer: Buffer, from: number): number {
    for (let file = this.#files[0]; file; file = this.#files[0]) {
      const room = Math.min(buffer.length - from, this.#sizeOf(file) - file.offset);
      const count = room <= 0 ? 0 : readSync(file.fd, buffer, from, room, file.offset);
      file.offset += count;
      if (count > 0) return count;
      if (file.inode === this.#end?.inode || !this.#next(file)) return 0;
    }
    return 0;
  }

  close(): void {
    for (const { fd } of this.#files.splice(0)) closeFile(fd);
  }

  #present(): LogPosition | undefined {
    const newest = this.#files.at(-1);
    return newest && { inode: newest.inode, size: this.#sizeOf(newest) };
  }

  /** When the file that contains the end is deleted, nothing is left to read. */
  #dropAfterEnd(): void {
    if (!this.#end) return;
    const last = this.#files.findIndex(({ inode }) => inode === this.#end?.inode);
    for (const { fd } of this.#files.splice(last + 1)) closeFile(fd);
  }

  /** Continues with the next file, unless this one is still written to. */
  #next(file: OpenFile): boolean {
    const isOldest = this.#files.length > 1;
    if (!isOldest && !this.#isRotated(file)) return false;
    if (file.offset < fstatSync(file.fd).size) return true; // it grew before the rotation
    if (!isOldest && !this.#findNewer(file)) return false;
    closeFile(file.fd);
    this.#files.shift();
    return true;
  }

  /** The files after this one; all that remain when it is already deleted. */
  #findNewer(file: OpenFile): boolean {
    const found = openFiles(this.#path);
    const own = found.findIndex(({ inode }) => inode === file.inode);
    for (const { fd } of found.splice(0, own + 1)) closeFile(fd);
    this.#files.push(...found);
    return found.length > 0;
  }

  #isRotated({ inode }: OpenFile): boolean {
    return this.#live !== undefined && this.#live.log.inode !== inode;
  }

  #sizeOf(file: OpenFile): number {
    if (file.inode === this.#end?.inode) return this.#end.size;
    const live = this.#live?.log;
    return live?.inode === file.inode ? live.size : fstatSync(file.fd).size;
  }
}

/** Oldest first; each once, also when a rotation renames them meanwhile. */
function openFiles(path: string): OpenFile[] {
  const files: OpenFile[] = [];
  for (let age = 0; age <= oldestAge; age += 1) {
    const fd = openIfExists(agedPath(path, age));
    if (fd === undefined && age > 0) break;
    if (fd === undefined) continue;
    const inode = fstatSync(fd, { bigint: true }).ino;
    if (files.some((file) => file.inode === inode)) closeFile(fd);
    else files.unshift({ fd, inode, offset: 0 });
  }
  return files;
}

function openIfExists(path: string): number | undefined {
  try {
    return openFile(path, 'r');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function lastLines(fd: number, size: number, count: number): { offset: number; lines: number } {
  const block = Buffer.alloc(blockSize);
  let lines = 0;
  for (let end = size; end > 0; ) {
    const start = Math.max(0, end - blockSize);
    readSync(fd, block, 0, end - start, start);
    for (let at = end - start - 1; at >= 0; at -= 1) {
      if (block[at] !== 10 || start + at === size - 1) continue;
      lines += 1;
      if (lines === count) return { offset: start + at + 1, lines };
    }
    end = start;
  }
  return { offset: 0, lines: size === 0 ? 0 : lines + 1 };
}
