/**
 * The journal's files: numbered segments, of which only the newest is written. A segment is closed at an eighth of the
 * journal's size; the oldest are deleted, so the folder never holds more than that size.
 */
import { closeSync, fstatSync, mkdirSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { join } from 'node:path';

export interface SegmentLimits {
  /** Bytes of all segments. */
  maximumBytes: number;
  /** Nanoseconds. */
  maximumAge: bigint;
}

interface Segment {
  number: number;
  bytes: number;
  /** Nanoseconds since 1970: of its last entry. */
  newest: bigint;
}

const segmentsPerJournal = 8;
const namePattern = /^journal-(\d{8})\.jsonl$/;
const lineFeed = 0x0a;

export class Segments {
  readonly #folder: string;
  readonly #limits: SegmentLimits;
  #segments: Segment[];
  /** The last write left a part of a line that could not be truncated. */
  #isTorn = false;

  /** Creates the folder (mode 0700). Throws for one that cannot be read or created. */
  constructor(folder: string, limits: SegmentLimits) {
    this.#folder = folder;
    this.#limits = limits;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const numbers = readdirSync(folder)
      .flatMap((name) => namePattern.exec(name)?.[1] ?? [])
      .map(Number);
    this.#segments = numbers
      .sort((a, b) => a - b)
      .map((number) => {
        const { size, mtimeNs } = statSync(this.#pathOf(number), { bigint: true });
        return { number, bytes: Number(size), newest: mtimeNs };
      });
    const last = this.#segments.at(-1);
    this.#isTorn = last !== undefined && last.bytes > 0 && !endsWithLineFeed(this.#pathOf(last.number));
  }

  /**
   * Writes whole lines, at most one segment's size at a time. Throws if the disk is full; nothing of the lines is left
   * then.
   * @param time of the last line, nanoseconds since 1970
   */
  async append(lines: string, time: bigint): Promise<void> {
    const bytes = Buffer.from(`${this.#isTorn ? '\n' : ''}${lines}`);
    const segment = this.#segmentFor(bytes.length, time);
    const file = await open(this.#pathOf(segment.number), 'a', 0o600);
    try {
      const before = (await file.stat()).size;
      await this.#writeAll(file, bytes, before);
      segment.bytes = before + bytes.length;
      segment.newest = time;
      this.#isTorn = false;
    } finally {
      await file.close();
    }
    await this.deleteOld(time);
  }

  async #writeAll(file: FileHandle, bytes: Buffer, before: number): Promise<void> {
    try {
      await file.writeFile(bytes);
    } catch (error) {
      this.#isTorn = true;
      await file.truncate(before);
      this.#isTorn = before > 0 && bytes[0] === lineFeed;
      throw error;
    }
  }

  /** Deletes the oldest segments beyond the journal's size, and those whose entries are too old. */
  async deleteOld(now: bigint): Promise<void> {
    let total = this.#segments.reduce((sum, { bytes }) => sum + bytes, 0);
    const isOld = ({ newest }: Segment): boolean => now - newest > this.#limits.maximumAge;
    for (const segment of [...this.#segments]) {
      if (total <= this.#limits.maximumBytes && !isOld(segment)) break;
      this.#segments.shift();
      total -= segment.bytes;
      await rm(this.#pathOf(segment.number), { force: true });
    }
  }

  /** Contents of the segments, oldest first; each is read when it is asked for. A deleted one is left out. */
  async *read(): AsyncGenerator<Buffer> {
    for (const { number } of [...this.#segments]) {
      const content = await readUpTo(this.#pathOf(number), this.#segmentBytes * 2);
      if (content) yield content;
    }
  }

  get #segmentBytes(): number {
    return Math.max(1, Math.floor(this.#limits.maximumBytes / segmentsPerJournal));
  }

  #segmentFor(bytes: number, time: bigint): Segment {
    const last = this.#segments.at(-1);
    if (last && (last.bytes === 0 || last.bytes + bytes <= this.#segmentBytes)) return last;
    const added: Segment = { number: (last?.number ?? 0) + 1, bytes: 0, newest: time };
    this.#segments.push(added);
    this.#isTorn = false;
    return added;
  }

  #pathOf(number: number): string {
    return join(this.#folder, `journal-${String(number).padStart(8, '0')}.jsonl`);
  }
}

function endsWithLineFeed(path: string): boolean {
  const file = openSync(path, 'r');
  try {
    const last = Buffer.alloc(1);
    readSync(file, last, 0, 1, fstatSync(file).size - 1);
    return last[0] === lineFeed;
  } finally {
    closeSync(file);
  }
}

/** The file's first bytes; undefined if it does not exist any more. */
async function readUpTo(path: string, limit: number): Promise<Buffer | undefined> {
  try {
    const file = await open(path, 'r');
    try {
      const length = Math.min((await file.stat()).size, limit);
      const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, 0);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  } catch {
    return undefined;
  }
}
