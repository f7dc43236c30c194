/**
 * A read position in a container's log, which may consist of several files and be rotated meanwhile. Holds its own
 * descriptors, so that rotation does not lose data. Reads the current file only as far as its writer has completed it.
 */
import type { CaptureState } from './capture-state.ts';
import { type LogPart, openParts } from './rotated-files.ts';

const blockSize = 64 * 1024;

/** A byte of the file with this inode. */
export interface LogPosition {
  inode: bigint;
  size: number;
}

export class LogCursor {
  readonly #path: string;
  readonly #live: CaptureState | undefined;
  readonly #end: { file: LogPart | undefined; size: number } | undefined;
  /** Oldest first. */
  readonly #files: LogPart[];

  /**
   * @param live of the run that writes to the log; undefined if none does
   * @param until `growing`: also what is written later; `present`: the existing content; otherwise up to this position
   */
  constructor(path: string, live: CaptureState | undefined, until: 'growing' | 'present' | LogPosition) {
    this.#path = path;
    this.#live = live;
    this.#files = openParts(path);
    if (until !== 'growing') this.#end = until === 'present' ? this.#present() : this.#endAt(until);
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
      const found = lastLines(file, size, left);
      file.offset = found.offset;
      left -= found.lines;
    }
  }

  /** Reads on, into the buffer from `from` on. Returns 0 at the end of the available content. */
  read(buffer: Buffer, from: number): number {
    for (let file = this.#files[0]; file; file = this.#files[0]) {
      const room = Math.min(buffer.length - from, this.#sizeOf(file) - file.offset);
      const count = room <= 0 ? 0 : file.read(buffer, from, room, file.offset);
      file.offset += count;
      if (count > 0) return count;
      if (room > 0 && file.isCompressed) file.offset = file.size; // the rest is damaged
      if (file === this.#end?.file || !this.#next(file)) return 0;
    }
    return 0;
  }

  close(): void {
    for (const file of this.#files.splice(0)) file.close();
  }

  #present(): { file: LogPart; size: number } | undefined {
    const newest = this.#files.at(-1);
    return newest && { file: newest, size: this.#sizeOf(newest) };
  }

  /** The newest file with this inode: a compressed one has that of a deleted file, which may be in use again. */
  #endAt({ inode, size }: LogPosition): { file: LogPart | undefined; size: number } {
    return { file: this.#files.findLast((file) => file.inode === inode), size };
  }

  /** When the file that contains the end is deleted, nothing is left to read. */
  #dropAfterEnd(): void {
    if (!this.#end) return;
    const last = this.#end.file ? this.#files.indexOf(this.#end.file) : -1;
    for (const file of this.#files.splice(last + 1)) file.close();
  }

  /** Continues with the next file, unless this one is still written to. */
  #next(file: LogPart): boolean {
    const isOldest = this.#files.length > 1;
    if (!isOldest && !this.#isRotated(file)) return false;
    if (file.offset < file.size) return true; // it grew before the rotation
    if (!isOldest && !this.#findNewer(file)) return false;
    file.close();
    this.#files.shift();
    return true;
  }

  /** The files after this one; all that remain when it is already deleted. */
  #findNewer(file: LogPart): boolean {
    const found = openParts(this.#path);
    const own = found.findIndex(({ identity }) => file.isSame(identity));
    for (const older of found.splice(0, own + 1)) older.close();
    this.#files.push(...found);
    return found.length > 0;
  }

  #isRotated({ inode, isCompressed }: LogPart): boolean {
    return this.#live !== undefined && (isCompressed || this.#live.log.inode !== inode);
  }

  #sizeOf(file: LogPart): number {
    if (this.#end && file === this.#end.file) return this.#end.size;
    const live = this.#live?.log;
    return live?.inode === file.inode && !file.isCompressed ? live.size : file.size;
  }
}

function lastLines(file: LogPart, size: number, count: number): { offset: number; lines: number } {
  const block = Buffer.alloc(blockSize);
  let lines = 0;
  for (let end = size; end > 0; ) {
    const start = Math.max(0, end - blockSize);
    const filled = readFully(file, block.subarray(0, end - start), start);
    for (let at = filled - 1; at >= 0; at -= 1) {
      if (block[at] !== 10 || start + at === size - 1) continue;
      lines += 1;
      if (lines === count) return { offset: start + at + 1, lines };
    }
    end = start;
  }
  return { offset: 0, lines: size === 0 ? 0 : lines + 1 };
}

/** Returns fewer bytes than asked for where the file is damaged. */
function readFully(file: LogPart, target: Buffer, position: number): number {
  let done = 0;
  while (done < target.length) {
    const count = file.read(target, done, target.length - done, position + done);
    if (count === 0) break;
    done += count;
  }
  return done;
}
