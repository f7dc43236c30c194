/**
 * Follows the output files of one run of a container, writes them into its log, and wakes those who watch the output
 * live. inotify tells of new output (one watch on the folder); nothing polls.
 *
 * Knows no containers' state: outputs.ts says when a run begins and ends.
 */
import { type FSWatcher, watch } from 'node:fs';
import { type Clock, type Logger, messageOf } from '@netyard/core';
import { encodeLogLine, formatLogTime } from './json-file.ts';
import { type Line, LineSplitter } from './line-splitter.ts';
import type { LogFile } from './log-file.ts';
import type { PositionFile } from './position.ts';
import type { SourceFile } from './source-file.ts';

export type OutputStream = 'stdout' | 'stderr';

export interface CapturedStream {
  name: OutputStream;
  file: SourceFile;
  /** Bytes that are in the log. */
  logged: number;
  /** Of the piece of a long line that was logged last: all pieces bear the time of the first. */
  partialTime: string | undefined;
  splitter: LineSplitter;
}

export interface CaptureOptions {
  directory: string;
  streams: { name: OutputStream; file: SourceFile; offset: number }[];
  /** Undefined with log driver none: the output goes to those attached, and nowhere else. */
  log: { file: LogFile; position: PositionFile; attributes: string } | undefined;
  /** Read into, within one step: captures may share it. */
  buffer: Buffer;
  clock: Clock;
  logger: Logger;
}

/** Bytes taken from one file before others have their turn. */
const turnSize = 1024 * 1024;
export const readSize = 128 * 1024;

export class Capture {
  readonly streams: readonly CapturedStream[];
  readonly #options: CaptureOptions;
  #watcher: FSWatcher | undefined;
  #scheduled = false;
  #ended = false;
  #troubled = false;
  #version = 0;
  #wakers: (() => void)[] = [];

  constructor(options: CaptureOptions) {
    this.#options = options;
    this.streams = options.streams.map(({ name, file, offset }) => ({
      name,
      file,
      logged: offset,
      partialTime: undefined,
      splitter: new LineSplitter(offset),
    }));
    this.#watcher = watch(options.directory, { persistent: false }, () => this.#schedule());
    this.#watcher.on('error', (error) =>
      options.logger.error('watching container output failed', { directory: options.directory, error: error.message }),
    );
    this.#schedule();
  }

  get log(): LogFile | undefined {
    return this.#options.log?.file;
  }

  /** No more output will come; what is there can still be read. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Somebody waits for more. */
  get isWatched(): boolean {
    return this.#wakers.length > 0;
  }

  /** Another number whenever there may be new output. */
  get version(): number {
    return this.#version;
  }

  /** Resolves when there may be new output, at the end, or with the signal. */
  changed(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        signal.removeEventListener('abort', done);
        resolve();
      };
      this.#wakers.push(done);
      signal.addEventListener('abort', done, { once: true });
      if (this.#ended || signal.aborted) done();
    });
  }

  /** Moves what has been written by now into the log. Returns true when there is more to do. */
  pump(): boolean {
    let more = false;
    for (const stream of this.streams) more = this.#pumpStream(stream) || more;
    if (this.#options.log) this.#options.log.file.wake();
    return more;
  }

  /** Takes the rest, also of an unfinished line, and closes. The container must be gone. */
  async finish(): Promise<void> {
    this.#watcher?.close();
    this.#watcher = undefined;
    while (!this.#ended && this.pump()) await new Promise((resolve) => setImmediate(resolve)); // others have their turn
    if (this.#ended) return;
    for (const stream of this.streams) this.#store(stream, stream.splitter.end());
    this.#close();
  }

  /** Stops following and leaves all as it is, for the next daemon to go on. */
  abandon(): void {
    if (this.#ended) return;
    this.#watcher?.close();
    this.#watcher = undefined;
    this.#close();
  }

  #close(): void {
    this.#ended = true;
    this.#options.log?.file.close();
    this.#options.log?.position.close();
    this.#wake();
    for (const stream of this.streams) stream.file.close();
  }

  #schedule(): void {
    if (this.#scheduled || this.#ended) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      if (this.#ended) return;
      if (this.pump()) this.#schedule();
      this.#wake();
    });
  }

  #wake(): void {
    this.#version += 1;
    const wakers = this.#wakers;
    this.#wakers = [];
    for (const waker of wakers) waker();
  }

  #pumpStream(stream: CapturedStream): boolean {
    if (!this.#options.log) {
      stream.file.free(stream.file.size);
      return false;
    }
    const reader = { offset: stream.splitter.position };
    let taken = 0;
    for (let count = 1; count > 0 && taken < turnSize; taken += count) {
      count = stream.file.read(reader, this.#options.buffer);
      if (count > 0 && !this.#store(stream, stream.splitter.push(this.#options.buffer.subarray(0, count))))
        return false;
    }
    stream.file.free(stream.logged);
    return taken >= turnSize;
  }

  /** False when the log could not be written; the lines are read again with the next output. */
  #store(stream: CapturedStream, lines: readonly Line[]): boolean {
    const { log } = this.#options;
    if (!log) return true;
    try {
      for (let rest = lines; rest.length > 0; ) rest = rest.slice(this.#append(log, stream, rest));
      this.#troubled = false;
      return true;
    } catch (error) {
      if (!this.#troubled)
        this.#options.logger.error('writing a container log failed', { path: log.file.path, error: messageOf(error) });
      this.#troubled = true;
      stream.splitter = new LineSplitter(stream.logged);
      return false;
    }
  }

  /** Rotates when it is time, writes as many lines as the file takes, then the position. Returns how many. */
  #append(log: NonNullable<CaptureOptions['log']>, stream: CapturedStream, lines: readonly Line[]): number {
    if (log.file.room <= 0) log.file.rotate();
    const now = formatLogTime(this.#options.clock.now());
    const encoded: Buffer[] = [];
    const room = log.file.room;
    let size = 0;
    let consumed = stream.logged;
    for (const line of lines) {
      if (size >= room) break;
      const time = stream.partialTime ?? now;
      stream.partialTime = line.complete ? undefined : time;
      const bytes = encodeLogLine(line, stream.name, time, log.attributes);
      encoded.push(bytes);
      size += bytes.length;
      consumed = line.consumed;
    }
    log.file.append(Buffer.concat(encoded, size));
    stream.logged = consumed;
    this.#savePosition(log);
    return encoded.length;
  }

  #savePosition(log: NonNullable<CaptureOptions['log']>): void {
    const logged = (name: OutputStream): number => this.streams.find((stream) => stream.name === name)?.logged ?? 0;
    log.position.write({
      logInode: log.file.inode,
      logSize: log.file.size,
      stdout: logged('stdout'),
      stderr: logged('stderr'),
    });
  }
}
