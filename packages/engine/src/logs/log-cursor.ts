/**
 * A place in a container's log, which may be several files and be rotated meanwhile. Holds its own descriptors, so that
 * a rotation takes nothing away from it. Reads no more of the file that is written to than its writer says is complete.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { CaptureState } from './capture-state.ts';
import { hasCode } from './file-errors.ts';
import { agedPath } from './log-file.ts';

const blockSize = 64 * 1024;
/** Files beyond `.99` are not Docker's either. */
const oldestAge = 99;

/** A byte of the file with this inode. */
export interface LogPlace {
  inode: bigint;
  size: number;
}

interface Place {
  fd: number;
  inode: bigint;
  offset: number;
}

export class LogCursor {
  readonly #path: string;
  readonly #live: CaptureState | undefined;
  readonly #end: LogPlace | undefined;
  /** Oldest first. */
  readonly #places: Place[];

  /**
   * @param live of the run that writes to the log; undefined: no run does
   * @param until `growing`: also what is written later; `present`: what is there now; or to this place
   */
  constructor(path: string, live: CaptureState | undefined, until: 'growing' | 'present' | LogPlace) {
    this.#path = path;
    this.#live = live;
    this.#places = openFiles(path);
    this.#end = until === 'present' ? this.#present() : until === 'growing' ? undefined : until;
    this.#dropAfterEnd();
  }

  /** Moves on to where the last `count` lines begin. */
  seekTail(count: number): void {
    let left = count;
    for (const place of [...this.#places].reverse()) {
      const size = this.#sizeOf(place);
      if (left <= 0) {
        place.offset = size;
        continue;
      }
      const found = lastLines(place.fd, size, left);
      place.offset = found.offset;
      left -= found.lines;
    }
  }

  /** Reads on, into the buffer from `from` on. Returns 0 at the end of what there is. */
  read(buffer: Buffer, from: number): number {
    for (let place = this.#places[0]; place; place = this.#places[0]) {
      const room = Math.min(buffer.length - from, this.#sizeOf(place) - place.offset);
      const count = room <= 0 ? 0 : readSync(place.fd, buffer, from, room, place.offset);
      place.offset += count;
      if (count > 0) return count;
      if (place.inode === this.#end?.inode || !this.#next(place)) return 0;
    }
    return 0;
  }

  close(): void {
    for (const { fd } of this.#places.splice(0)) closeSync(fd);
  }

  #present(): LogPlace | undefined {
    const newest = this.#places.at(-1);
    return newest && { inode: newest.inode, size: this.#sizeOf(newest) };
  }

  /** Nothing is left when the file of the end is gone. */
  #dropAfterEnd(): void {
    if (!this.#end) return;
    const last = this.#places.findIndex(({ inode }) => inode === this.#end?.inode);
    for (const { fd } of this.#places.splice(last + 1)) closeSync(fd);
  }

  /** Goes on with the next file, if this one is not written to any more. */
  #next(place: Place): boolean {
    const isOldest = this.#places.length > 1;
    if (!isOldest && !this.#isRotated(place)) return false;
    if (place.offset < fstatSync(place.fd).size) return true; // grew before the rotation
    if (!isOldest && !this.#findNewer(place)) return false;
    closeSync(place.fd);
    this.#places.shift();
    return true;
  }

  /** The files after this one; all that are left when it is gone already. */
  #findNewer(place: Place): boolean {
    const found = openFiles(this.#path);
    const own = found.findIndex(({ inode }) => inode === place.inode);
    for (const { fd } of found.splice(0, own + 1)) closeSync(fd);
    this.#places.push(...found);
    return found.length > 0;
  }

  #isRotated({ inode }: Place): boolean {
    return this.#live !== undefined && this.#live.log.inode !== inode;
  }

  #sizeOf(place: Place): number {
    if (place.inode === this.#end?.inode) return this.#end.size;
    const live = this.#live?.log;
    return live?.inode === place.inode ? live.size : fstatSync(place.fd).size;
  }
}

/** Oldest first; each once, also when a rotation renames them meanwhile. */
function openFiles(path: string): Place[] {
  const places: Place[] = [];
  for (let age = 0; age <= oldestAge; age += 1) {
    const fd = openIfThere(agedPath(path, age));
    if (fd === undefined && age > 0) break;
    if (fd === undefined) continue;
    const inode = fstatSync(fd, { bigint: true }).ino;
    if (places.some((place) => place.inode === inode)) closeSync(fd);
    else places.unshift({ fd, inode, offset: 0 });
  }
  return places;
}

function openIfThere(path: string): number | undefined {
  try {
    return openSync(path, 'r');
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
