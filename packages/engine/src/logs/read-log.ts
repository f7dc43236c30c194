/**
 * Reading a container's log: the last lines, a stretch of time, and following what is still written. Holds its own
 * descriptors, so that a rotation meanwhile takes nothing away from it.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { LogEntry, LogOptions } from '../contract.ts';
import { hasCode } from './file-errors.ts';
import { decodeLogLine } from './json-file.ts';
import { agedPath, type LogFile } from './log-file.ts';

const blockSize = 64 * 1024;
/** Files beyond `.99` are not Docker's either. */
const oldestAge = 99;

export type ReadOptions = Pick<LogOptions, 'stdout' | 'stderr' | 'follow' | 'since' | 'until' | 'tail' | 'signal'>;

interface Place {
  fd: number;
  offset: number;
}

/**
 * Entries in the order in which they were written. The files are opened at the first `next()`.
 * @param live the log while it is written to; undefined: nobody writes, so following ends with the last line
 * @param limit bytes of the newest file to read at most, for a reader that goes on elsewhere
 */
export async function* readLog(
  path: string,
  options: ReadOptions,
  live: LogFile | undefined,
  limit?: number,
): AsyncGenerator<LogEntry> {
  for await (const line of readLines(path, options, live, limit)) {
    const entry = decodeLogLine(line);
    if (!entry || options.signal.aborted) continue;
    if (options.until !== undefined && entry.time > options.until) return;
    if (options.since !== undefined && entry.time < options.since) continue;
    if (entry.stream === 'stdout' ? options.stdout : options.stderr) yield entry;
  }
}

/** Oldest first. */
function openFiles(path: string): Place[] {
  const places: Place[] = [];
  for (let age = 0; age <= oldestAge; age += 1) {
    const fd = openIfThere(agedPath(path, age));
    if (fd === undefined && age > 0) break;
    if (fd !== undefined) places.unshift({ fd, offset: 0 });
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

/** Moves the places to where the last `count` lines begin; files before that are skipped. */
function seekTail(places: readonly Place[], count: number): void {
  let wanted = count;
  for (const place of [...places].reverse()) {
    const size = fstatSync(place.fd).size;
    if (wanted <= 0) {
      place.offset = size;
      continue;
    }
    const found = lastLines(place.fd, size, wanted);
    place.offset = found.offset;
    wanted -= found.lines;
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

async function* readLines(
  path: string,
  options: ReadOptions,
  live: LogFile | undefined,
  limit: number | undefined,
): AsyncGenerator<string> {
  const places = openFiles(path);
  let generation = live?.generation ?? 0;
  try {
    if (options.tail !== undefined) seekTail(places, options.tail);
    for (let place = places[0]; place; place = places[0]) {
      const seen = live?.version;
      yield* linesOf(place, places.length === 1 ? limit : undefined);
      if (options.signal.aborted) return;
      if (places.length === 1 && live && options.follow) {
        if (generation === live.generation) {
          if (seen !== live.version) continue; // written meanwhile
          if (live.closed) return;
          await live.changed(options.signal);
          continue;
        }
        yield* linesOf(place, undefined); // nothing is added to it any more
        const next = openNext(path, live.generation, generation);
        generation = next.generation;
        if (next.place) places.push(next.place);
      }
      closeSync(place.fd);
      places.shift();
    }
  } finally {
    for (const place of places) closeSync(place.fd);
  }
}

/** The file after the one of `generation`; older ones may be gone already. */
function openNext(path: string, newest: number, generation: number): { place?: Place; generation: number } {
  for (let wanted = generation + 1; wanted <= newest; wanted += 1) {
    const fd = openIfThere(agedPath(path, newest - wanted));
    if (fd !== undefined) return { place: { fd, offset: 0 }, generation: wanted };
  }
  return { generation: newest };
}

/** Whole lines from the place on; the place moves along, and stays before a line that is not complete yet. */
async function* linesOf(place: Place, limit: number | undefined): AsyncGenerator<string> {
  let rest = Buffer.alloc(0);
  for (;;) {
    const from = place.offset + rest.length;
    const length = Math.min(blockSize, limit === undefined ? blockSize : limit - from);
    const block = Buffer.alloc(Math.max(0, length));
    const read = length <= 0 ? 0 : readSync(place.fd, block, 0, length, from);
    if (read === 0) return;
    const data = Buffer.concat([rest, block.subarray(0, read)]);
    let start = 0;
    for (let end = data.indexOf(10); end >= 0; end = data.indexOf(10, start)) {
      place.offset += end + 1 - start;
      yield data.toString('utf8', start, end);
      start = end + 1;
    }
    rest = data.subarray(start);
    await new Promise((resolve) => setImmediate(resolve)); // others have their turn between blocks
  }
}
